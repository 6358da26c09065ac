# SPDX-License-Identifier: GPL-2.0
"""-m ah"""

from case import *

# Not the last of all: a range of all is not printed by iptables-save, even where it is negated.
INDICES = [1, 256, 1000, 1 << 31]


def header(index, length=12, reserved=0, told=None):
    """The header without the number of what follows; `told` is another length than its own."""
    words = (length if told is None else told) // 4 - 2
    return struct.pack("!BBHII", 59, words, reserved, index, 1) + bytes(length - 12)


def rule(dice):
    index = f"{dice.no()}--ahspi {dice.range(*INDICES, end=1 << 32)}"
    if dice.family == 4:
        return f"-p ah {dice.pick('', '-m ah ')}{index}"
    options = [
        *dice.sometimes(0.7, lambda: index),
        *dice.sometimes(0.4, lambda: f"{dice.no()}--ahlen {dice.pick(8, 12, 24, 1028)}"),
        *dice.sometimes(0.3, lambda: "--ahres"),
    ]
    return " ".join(["-m ah", *options[:: dice.pick(1, -1)]])


def packet(dice):
    told = dice.pick(None, None, None, 8, 16, 1028)
    made = header(dice.near(*INDICES, end=1 << 32), dice.pick(12, 12, 24), dice.pick(0, 0, 1, 0x8000), told)
    made = made[: dice.pick(24, 24, 24, 11, 7, 1)]
    if dice.family == 4:
        return (AH, made + dice.bytes(8)), {}
    before = dice.pick([], [], [(DESTINATION, padding())], [(FRAGMENT, fragment_header(dice.pick(0, 8), 1))])
    return (NO_NEXT, dice.bytes(8)), {"headers": [*before, (AH, made)]}


def cases(f):
    if f == 4:
        a = lambda *about: P((AH, header(*about)))
        never = [P(udp()), later(4, AH, header(256)), P((AH, header(256)[:11]))]
        yield Case("-p ah {!}--ahspi 256", [a(256), a(256, 24)], [a(255), a(257), a(1 << 16)], never)
        yield Case("-p ah -m ah {!}--ahspi 100:0x80000000", [a(100), a(1 << 31)], [a(99), a((1 << 31) + 1)], never)
        return
    a = lambda *about, before=(): P(udp(), headers=[*before, (AH, header(*about))])
    options, fragment = (DESTINATION, padding()), (FRAGMENT, fragment_header(1480, 0))
    never = [P(udp()), P(udp(), headers=[options]), a(256, before=[fragment]), P((AH, header(256)[:11]))]
    yield Case("-m ah", [a(0), a(256, before=[options])], [], never)
    yield Case("-m ah {!}--ahspi 256", [a(256), a(256, 24, before=[options])], [a(255), a(257), a(1 << 16)], never)
    yield Case("-m ah {!}--ahlen 24", [a(1, 24)], [a(1), a(1, 28)], never)
    yield Case("-m ah --ahres", [a(1), a(1, 24)], [a(1, 12, 1), a(1, 12, 0x8000)])
    yield Case("-p udp -m ah ! --ahspi 5:7 ! --ahlen 12 --ahres", [a(4, 24)], [a(5, 24), a(4), a(4, 24, 1)])
