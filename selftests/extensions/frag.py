# SPDX-License-Identifier: GPL-2.0
"""-m frag"""

from case import *

FAMILIES = (6,)
IDS = [0, 7, 77, 2**32 - 2]


def header(at=0, more=0, number=77, reserved=0, odd=0):
    return FRAGMENT, bytes([0, reserved]) + struct.pack("!HI", at | odd | more, number)


def rule(dice):
    return " ".join(
        [
            "-m frag",
            *dice.sometimes(0.5, lambda: f"{dice.no()}--fragid {dice.range(*IDS, end=2**32 - 1)}"),
            *dice.sometimes(0.2, lambda: f"{dice.no()}--fraglen {dice.pick(0, 8, 2**32 - 1)}"),
            *dice.sometimes(0.3, lambda: "--fragres"),
            *dice.sometimes(0.3, lambda: "--fragfirst"),
            *dice.sometimes(0.4, lambda: dice.pick("--fragmore", "--fraglast")),
        ]
    )


def packet(dice):
    before = dice.sometimes(0.3, lambda: (DESTINATION, padding()))
    kind, data = header(
        dice.pick(0, 0, 8, 1480), dice.pick(0, 1), dice.near(*IDS, end=2**32), dice.pick(0, 0, 1), dice.pick(0, 0, 2, 4)
    )
    if dice.chance(0.1):
        return (UDP, b""), {"headers": [*before, (kind, data[: dice.pick(4, 5, 7)])]}
    return None, {"headers": [*before, (kind, data)]}


def cases(f):
    h = lambda *details, **more: P(udp(), headers=[header(*details, **more)])
    whole, cut = P(udp()), P((UDP, b""), headers=[(FRAGMENT, header()[1][:7])])
    behind = P(udp(), headers=[(DESTINATION, padding()), header()])
    yield Case("-m frag", [h(), h(8), h(1480, 1), behind], [whole, cut])
    yield Case("-m frag {!}--fragid 77", [h(), h(8), behind], [h(number=76), h(number=78)], [whole, cut])
    yield Case("-m frag {!}--fragid 7:9", [h(number=7), h(number=9)], [h(number=6), h(number=10)], [whole])
    yield Case("-m frag --fraglen 9", [h(), h(8)], [whole])
    yield Case("-m frag --fragres", [h(), h(8, 1)], [h(reserved=1), h(odd=2), h(odd=4), whole])
    yield Case("-m frag --fragfirst", [h(), h(0, 1), h(odd=4)], [h(8), h(65528), whole])
    yield Case("-m frag --fragmore", [h(0, 1), h(8, 1)], [h(), h(8), h(odd=6), whole])
    yield Case("-m frag --fraglast", [h(), h(8), h(odd=6)], [h(0, 1), h(8, 1), whole])
    yield Case("-m frag ! --fragid 7 --fragfirst --fragmore", [h(0, 1)], [h(0, 1, 7), h(8, 1), h()])
