# SPDX-License-Identifier: GPL-2.0
"""-m tcpmss"""

from case import *

SIZES = [0, 536, 1400, 1460, 65535]


def option(size):
    return b"\2\4" + struct.pack("!H", size)


def rule(dice):
    return f"-p tcp {dice.pick('', '', '--syn ')}-m tcpmss {dice.no()}--mss {dice.range(*SIZES, end=65536)}"


def packet(dice):
    size = option(dice.near(*SIZES, end=65536))
    odd = dice.pick(b"\1\1" + size, b"\2\3\1" + size, b"\3\3\7" + size, b"", b"\1\1\1\2")
    options = dice.pick(size, size, size + option(536), odd)
    protocol, data = tcp(dice.port(), dice.port(), dice.pick(SYN, SYN, SYN | ACK, ACK), options)
    if dice.chance(0.1):
        data = data[: dice.below(len(data))]
    if dice.chance(0.1):
        data = data[:12] + bytes([dice.below(16) << 4]) + data[13:]
    return (protocol, data), {}


def cases(f):
    t = lambda options, **more: P(tcp(options=options, **more))
    m = lambda size: t(option(size))
    data = tcp(options=option(1460))[1]
    # Cut off, and with a header that is shorter than it can be.
    never = [P((TCP, data[:23])), P((TCP, data[:12] + b"\x40" + data[13:])), P(udp()), later(f, TCP)]
    without = [t(b""), t(b"\1\1\1\0"), t(b"\2\3\1\0"), t(b"\1\2\4\0"), t(b"\3\4\5\xb4", flags=ACK)]
    yield Case("-p tcp -m tcpmss {!}--mss 1460", [m(1460), t(option(1460), flags=ACK)], [m(1459), m(1461)], never)
    yield Case("-p tcp -m tcpmss {!}--mss 536:1400", [m(536), m(1400)], [m(535), m(1401), *without], never)
    yield Case("-p tcp -m tcpmss {!}--mss :9", [m(0), m(9)], [m(10), *without])
    yield Case("-p tcp -m tcpmss {!}--mss 9:", [m(9), m(65535)], [m(8), *without])
    # The first one counts, and only one of the right length.
    yield Case(
        "-p tcp -m tcpmss {!}--mss 9",
        [t(option(9) + option(8)), t(b"\1\1\1" + option(9)), t(b"\2\3\1" + option(9)), t(b"\x13\0" + option(9))],
        [t(option(8) + option(9)), t(b"\x13\6" + option(9))],
    )
