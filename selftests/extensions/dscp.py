# SPDX-License-Identifier: GPL-2.0
"""-m dscp"""

from case import *

CODEPOINTS = [0, 10, 46, 63]


def rule(dice):
    number = dice.pick(*CODEPOINTS)
    some = dice.pick(f"dscp {number}", f"dscp {number:#x}", f"dscp-class {dice.pick('BE', 'EF', 'AF11', 'ef', 'CS7')}")
    return f"-m dscp {dice.no()}--{some}"


def packet(dice):
    return None, {"tos": dice.pick(*CODEPOINTS) << 2 | dice.below(4)}


def cases(_):
    d = lambda codepoint, congestion=0: P(udp(), tos=codepoint << 2 | congestion)
    yield Case("-m dscp {!}--dscp 46", [d(46), d(46, 3)], [d(45), d(47), d(0), d(62)])
    yield Case("-m dscp {!}--dscp-class CS7", [d(56), d(56, 1)], [d(7), d(55)])
