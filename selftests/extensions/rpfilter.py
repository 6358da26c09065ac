# SPDX-License-Identifier: GPL-2.0
"""-m rpfilter"""

from worlds import ELSEWHERE, NOWHERE

HOOKS = ("PREROUTING",)


def rule(dice):
    options = ["--loose", "--validmark", "--accept-local", "--invert"]
    return " ".join(["-m rpfilter", *dice.dice.sample(options, dice.below(3))])


def packet(dice):
    return None, {"host": dice.pick(1, ELSEWHERE, NOWHERE)}


def cases(_):
    """None: they are not forwarded packets, see routes."""
    return []
