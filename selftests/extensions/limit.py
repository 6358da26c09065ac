# SPDX-License-Identifier: GPL-2.0
"""-m limit"""

from case import *


def rule(dice):
    # Not a token more comes while a test sends its packets, however slowly.
    rate = dice.pick("", "--limit 1/h", "--limit 30/hour", "--limit 90/day", "--limit 20/HOUR", "--limit 1/day")
    bursts = [1] if "1/day" in rate else [1, 2, 5, 30]
    return f"-m limit {rate} --limit-burst {dice.pick(*bursts)}"


def printed(dice):
    unit = dice.pick("", "/s", "/sec", "/Second", "/m", "/min", "/minute", "/h", "/hour", "/d", "/day")
    count = dice.pick(1, 3, 7, 10, 60, 100, 1000, 3000, 7001, 10000, dice.below(10000) + 1)
    # iptables refuses long periods with large bursts, or takes them for something else (see docs/differences.md).
    slow = 86400 / count if unit.startswith("/d") else 3600 / count if unit.startswith("/h") else 60
    bursts = [1, 2, 5, 10] if slow < 10000 else [1]
    return f"-m limit --limit {count}{unit} --limit-burst {dice.pick(*bursts)}"


def packet(dice):
    return udp(payload=dice.bytes(20)), {}


def cases(f):
    many = lambda count: [P(udp())] * count
    yield Case("-m limit --limit 1/day --limit-burst 1", many(1), many(3))
    yield Case("-m limit", many(5), many(3))
    yield Case("-m limit --limit 2/min --limit-burst 20", many(20), many(3))
    yield Case("-p udp -m udp --dport 53 -m limit --limit-burst 2", many(2), [P(udp(dport=54)), *many(2)])
