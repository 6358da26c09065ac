# SPDX-License-Identifier: GPL-2.0
"""-m esp"""

from case import *

ESP = 50
# Not the last of all: a range of all is not printed by iptables-save, even where it is negated.
INDICES = [1, 256, 1000, 1 << 31]


def rule(dice):
    index = lambda: f" {dice.no()}--espspi {dice.range(*INDICES, end=1 << 32)}"
    return "-p esp" + dice.pick("", " -m esp") + index() if dice.chance(0.9) else "-p esp -m esp"


def packet(dice):
    data = struct.pack("!II", dice.near(*INDICES, end=1 << 32), 1) + bytes(8)
    return (ESP, data[: dice.pick(16, 16, 16, 8, 7, 4, 0)]), {}


def cases(f):
    e = lambda index: P((ESP, struct.pack("!II", index, 1) + b"secret"))
    never = [P(udp()), later(f, ESP, struct.pack("!II", 256, 1)), P((ESP, struct.pack("!IHB", 256, 0, 0)))]
    yield Case("-p esp {!}--espspi 256", [e(256)], [e(255), e(257), e(1), e(0x01000000)], never)
    yield Case("-p esp -m esp {!}--espspi 100:0x80000000", [e(100), e(1 << 31)], [e(99), e((1 << 31) + 1)], never)
    yield Case("-p esp -m esp", [e(0), e(0xFFFFFFFF)], [], never)
    # What is cut off is dropped, not left to the next rule.
    yield Case("-p esp -m esp ! --espspi 1", [e(2)], [P((ESP, b"\0\0\0\2"))])
