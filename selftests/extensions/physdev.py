# SPDX-License-Identifier: GPL-2.0
"""-m physdev; packets that go through a bridge are tried in t-metadata.sh."""

from case import *

HOOKS = ("INPUT", "FORWARD")


def rule(dice):
    port = lambda: dice.pick("p0", "p1", "p+", "+", "a-long-name.123")
    words = [
        *dice.sometimes(0.4, lambda: f"{dice.no()}--physdev-in {port()}"),
        *dice.sometimes(0.4, lambda: f"{dice.no()}--physdev-out {port()}"),
        *dice.sometimes(0.4, lambda: f"{dice.no()}--physdev-is-in"),
        *dice.sometimes(0.4, lambda: f"{dice.no()}--physdev-is-out"),
        *dice.sometimes(0.4, lambda: f"{dice.no()}--physdev-is-bridged"),
    ]
    return " ".join(["-m physdev", *(words or ["! --physdev-is-bridged"])])


def packet(_):
    return None, {}


def cases(_):
    routed = [P(udp()), P(tcp())]
    for asked in ("in lan0", "in +", "out wan0", "is-in", "is-out", "is-bridged"):
        yield Case(f"-m physdev {{!}}--physdev-{asked}", [], routed)
    yield Case("-m physdev ! --physdev-in lan0 ! --physdev-is-bridged", routed)
    yield Case("-m physdev ! --physdev-in lan0 --physdev-is-bridged", [], routed)
