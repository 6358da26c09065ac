# SPDX-License-Identifier: GPL-2.0
"""-m dst"""

import extensions.hbh as hbh
from case import *

FAMILIES = (6,)


def rule(dice):
    return hbh.rule(dice, "dst")


def packet(dice):
    return hbh.packet(dice, DESTINATION)


def cases(f):
    yield from hbh.cases(f, "dst", DESTINATION, HOP_BY_HOP)
    # The first of two counts.
    two = P(udp(), headers=[(DESTINATION, hbh.header((hbh.OTHER, b"1234567"))), (DESTINATION, hbh.header())])
    yield Case("-m dst {!}--dst-len 16", [two])
