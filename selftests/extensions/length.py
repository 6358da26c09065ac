# SPDX-License-Identifier: GPL-2.0
"""-m length"""

from case import *

LENGTHS = [28, 36, 48, 60, 76]


def rule(dice):
    return f"-m length {dice.no()}--length {dice.range(*LENGTHS, end=65536)}"


def packet(dice):
    return udp(payload=bytes(dice.near(0, 20, 40, end=80))), {}


def cases(f):
    header = 28 if f == 4 else 48
    u = lambda length: P(udp(payload=b"x" * (length - header)))
    yield Case("-m length {!}--length 100", [u(100)], [u(99), u(101)])
    yield Case("-m length {!}--length 60:100", [u(60), u(80), u(100)], [u(59), u(101)])
    yield Case("-m length {!}--length :100", [u(50), u(100)], [u(101)])
    yield Case("-m length {!}--length 100:", [u(100), u(1400)], [u(99)])
