# SPDX-License-Identifier: GPL-2.0
"""-m cpu"""

from case import *


def rule(dice):
    return f"-m cpu {dice.no()}--cpu {dice.pick(0, 1, 7, '0x10', 4294967295)}"


def packet(_):
    return None, {}


def cases(_):
    # The one that sends also forwards.
    here = min(os.sched_getaffinity(0))
    yield Case(f"-m cpu {{!}}--cpu {here}", [P(udp()), P(tcp())])
    yield Case(f"-m cpu {{!}}--cpu {here + 1}", [], [P(udp()), P(tcp())])
