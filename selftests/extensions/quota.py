# SPDX-License-Identifier: GPL-2.0
"""-m quota"""

from case import *


def rule(dice):
    return f"-m quota {dice.no()}--quota {dice.near(0, 36, 100, 1000, 3000, end=1 << 64)}"


def packet(dice):
    return udp(payload=dice.bytes(40)), {}


def cases(f):
    header = 28 if f == 4 else 48
    u = lambda length: P(udp(payload=b"x" * (length - header)))
    yield Case("-m quota --quota 300", [u(100)] * 3, [u(100), u(50)])
    yield Case("-m quota --quota 299", [u(100)] * 2, [u(100), u(50)])
    yield Case("-m quota --quota 100", [u(100)], [u(100)])
    yield Case("-m quota --quota 99", [], [u(100), u(99)])
    yield Case("-m quota ! --quota 99", [u(100), u(99)], [])
    yield Case("-m quota --quota 18446744073709551615", [u(100)] * 3, [])
