# SPDX-License-Identifier: GPL-2.0
"""-m devgroup"""

from case import *

HOOKS = ("FORWARD",)


def group(dice):
    # iptables-save prints a name for the whole number 0.
    value = dice.pick(1, 2, 0x10, 0xFFFFFFFF)
    return dice.pick(f"{value}", f"{value:#x}", f"{dice.below(4)}/{dice.pick('0x3', '0', '1', '0xff')}")


def rule(dice):
    source = dice.sometimes(0.7, lambda: f"{dice.no()}--src-group {group(dice)}")
    destination = [] if source and dice.chance(0.5) else [f"{dice.no()}--dst-group {group(dice)}"]
    return " ".join(["-m devgroup", *source, *destination])


def packet(_):
    return None, {}


def cases(_):
    run("fw", "ip", "link", "set", "lan0", "group", "5")
    run("fw", "ip", "link", "set", "wan0", "group", "258")
    packets = [P(udp()), P(tcp())]
    for option, group, low in (("src-group", 5, 1), ("dst-group", 258, 2)):
        for hit in (f"{group}", f"{group:#x}", f"{low}/3", "0/0", f"{group | 0x1000}/0xfff"):
            yield Case(f"-m devgroup {{!}}--{option} {hit}", packets)
        for miss in ("0", f"{group + 1}", f"{group + 1}/1", "0/3"):
            yield Case(f"-m devgroup {{!}}--{option} {miss}", [], packets)
    yield Case("-m devgroup --src-group 5 --dst-group 258", packets)
    yield Case("-m devgroup --src-group 5 ! --dst-group 258", [], packets)
    yield Case("-m devgroup ! --src-group 5 --dst-group 258", [], packets)
