# SPDX-License-Identifier: GPL-2.0
"""-m hl"""

from case import *

FAMILIES = (6,)


def rule(dice):
    value = dice.near(9, 63, end=256)
    return "-m hl " + dice.pick(f"{dice.no()}--hl-eq {value}", f"--hl-lt {value}", f"--hl-gt {value}")


def packet(dice):
    # Forwarding takes one, and a packet that has no more is answered instead.
    return None, {"hops": max(2, dice.near(10, 64, end=256))}


def cases(_):
    t = lambda hops: P(udp(), hops=hops + 1)
    yield Case("-m hl {!}--hl-eq 9", [t(9)], [t(8), t(10)])
    yield Case("-m hl --hl-lt 9", [t(8), t(1)], [t(9), t(10)])
    yield Case("-m hl --hl-gt 9", [t(10), t(254)], [t(9), t(8)])
