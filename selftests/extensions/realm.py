# SPDX-License-Identifier: GPL-2.0
"""-m realm"""

from case import *

HOOKS = ("INPUT", "FORWARD", "OUTPUT")
FAMILIES = (4,)


def rule(dice):
    # iptables-save prints a name for the whole number 0.
    value = dice.pick(1, 5, 0x20005)
    return f"-m realm {dice.no()}--realm {dice.pick(f'{value}', f'{value:#x}', f'{dice.below(3)}/0xffff', '0/0', '1/0')}"


def packet(_):
    return None, {}


def cases(_):
    # Realms of the source, 2, and of the destination, 5.
    run("fw", "ip", "route", "replace", "10.9.0.0/16", "via", "10.0.2.2", "realm", "2/5")
    there, elsewhere = P(udp()), P(udp(), target="10.8.200.1")
    yield Case("-m realm {!}--realm 0x20005", [there], [elsewhere])
    yield Case("-m realm {!}--realm 5/0xffff", [there], [elsewhere])
    yield Case("-m realm {!}--realm 0x20000/0xffff0000", [there], [elsewhere])
    yield Case("-m realm {!}--realm 0", [elsewhere], [there])
    yield Case("-m realm {!}--realm 5", [], [there, elsewhere])
    yield Case("-m realm {!}--realm 0/0", [there, elsewhere])
    # A bit that the mask hides is never seen.
    yield Case("-m realm {!}--realm 0x10005/0xffff", [], [there, elsewhere])
