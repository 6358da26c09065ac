# SPDX-License-Identifier: GPL-2.0
"""-m statistic"""

from case import *


def rule(dice):
    if dice.chance(0.2):
        return f"-m statistic --mode random {dice.no()}--probability {dice.pick('0', '1', '0.0', '1.000')}"
    every = dice.pick(1, 2, 3, 7, 100)
    return f"-m statistic --mode nth {dice.no()}--every {every} --packet {dice.below(every)}"


def printed(dice):
    if dice.chance(0.3):
        return rule(dice)
    number = dice.pick("0.5", ".25", "0.33", "1e-3", "0.99999999999", "0.0000000004", str(dice.below(1 << 30) / (1 << 30)))
    return f"-m statistic --mode random {dice.no()}--probability {number}"


def packet(dice):
    return udp(payload=dice.bytes(20)), {}


def cases(f):
    many = lambda count: [P(udp())] * count
    nth = "-m statistic --mode nth"
    yield Case(f"{nth} --every 3 --packet 0", many(1), many(2))
    yield Case(f"{nth} ! --every 3 --packet 2", many(2), many(1))
    yield Case(f"{nth} ! --every 3 --packet 0", [], many(1))
    yield Case(f"{nth} --every 1 --packet 0", many(5), [])
    yield Case("-m statistic --mode random {!}--probability 1", many(9), [])
    yield Case("-m statistic --mode random {!}--probability 0", [], many(9))
