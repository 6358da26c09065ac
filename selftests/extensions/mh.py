# SPDX-License-Identifier: GPL-2.0
"""-m mh"""

from case import *

FAMILIES = (6,)
MH = 135
NAMES = ["brr", "hoti", "careof-test-init", "home-test", "cot", "binding-update", "ba", "BE", "hom", "5", "0x6", "200"]


def rule(dice):
    name = lambda: dice.pick(*NAMES)
    # What asks for every type is left out: iptables-save forgets a `!` before it.
    low, high = sorted([1 + dice.below(8), dice.near(1, 7, 254, end=255)])
    some = dice.pick(name(), name(), f"{low}:{high}", f"{low}:", f":{high}", "hoti:binding-error")
    return f"-p mh {dice.pick('', '-m mh ')}{dice.no()}--mh-type {some}"


def message(kind, payload=NO_NEXT, length=8):
    return MH, bytes([payload, 0, kind, 0, 0, 0, 0, 0])[:length]


def packet(dice):
    return message(dice.pick(*range(9), 255), dice.pick(*[NO_NEXT] * 5, UDP), dice.pick(*[8] * 5, 6, 5, 0)), {}


def cases(f):
    m = lambda *details: P(message(*details))
    # What is too short, or carries something, is dropped whatever is asked; a later fragment has no message.
    never = [m(5, NO_NEXT, 5), m(5, UDP), P(udp()), later(f, MH, message(5)[1])]
    yield Case("-p mh {!}--mh-type bu", [m(5), m(5, NO_NEXT, 6), first(f, message(5))], [m(4), m(6)], never)
    yield Case("-p mh {!}--mh-type 3:binding-update", [m(3), m(5)], [m(2), m(6)], never)
    yield Case("-p mh {!}--mh-type 7:", [m(7), m(255)], [m(6)])
    yield Case("-p mh -m mh", [m(0), m(255)], never)
