# SPDX-License-Identifier: GPL-2.0
"""-m ttl"""

from case import *

FAMILIES = (4,)


def rule(dice):
    value = dice.near(9, 63, end=256)
    return "-m ttl " + dice.pick(f"{dice.no()}--ttl-eq {value}", f"--ttl-lt {value}", f"--ttl-gt {value}")


def packet(dice):
    # Forwarding takes one, and a packet that has no more is answered instead.
    return None, {"ttl": max(2, dice.near(10, 64, end=256))}


def cases(_):
    t = lambda ttl: P(udp(), ttl=ttl + 1)
    yield Case("-m ttl {!}--ttl-eq 9", [t(9)], [t(8), t(10)])
    yield Case("-m ttl --ttl-lt 9", [t(8), t(1)], [t(9), t(10)])
    yield Case("-m ttl --ttl-gt 9", [t(10), t(254)], [t(9), t(8)])
