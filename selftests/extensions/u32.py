# SPDX-License-Identifier: GPL-2.0
"""-m u32"""

from case import *
from dice import PORTS


def values(dice, *usual, end=1 << 32):
    def one():
        first, last = sorted([dice.near(*usual, end=end), dice.near(*usual, end=end)])
        return dice.pick(str(first), hex(first), f"{first}:{last}", f"{first} : {hex(last)}")

    return ",".join(one() for _ in range(1 + dice.below(3)))


def location(dice):
    """A location, and values that it may find there."""
    length, protocol, behind = (
        ("0&0xFFFF", "6 & 0xff", "0>>22 & 0x3C @ ") if dice.family == 4 else ("4>>16", "4>>8&0xff", "40&0@40&0@")
    )
    operations = "".join(
        dice.pick(f"& {dice.below(1 << 32):#x}", f"<<{dice.below(32)}", f">> {dice.below(32)}", "&0x3c@4", "@0")
        for _ in range(dice.below(6))
    )
    return dice.pick(
        (f"{length}", values(dice, 28, 40, 60, 0)),
        (f"{protocol}", values(dice, TCP, UDP, ICMP, end=256)),
        (f"{behind} {dice.pick('0>>16', '0 & 0xffff', '2>>16')}", values(dice, *PORTS)),
        (f"{behind}{dice.near(8, 20, end=200)}", "0:0x7fffffff"),
        (f"{dice.near(0, 16, 20, 36, 40, 60, end=1 << 32)}{operations}", values(dice, 0, 0x7FFFFFFF, 0xFFFFFFFF)),
    )


def rule(dice):
    tests = dice.pick("&&", " && ").join("=".join(location(dice)) for _ in range(1 + dice.below(3)))
    return f'-m u32 {dice.no()}--u32 "{tests}"'


def packet(dice):
    return dice.pick(tcp(dice.port(), dice.port(), payload=dice.bytes(40)), udp(dice.port(), dice.port())), {}


def cases(f):
    u = lambda payload=b"", **k: P(udp(payload=payload, **k))
    header = 20 if f == 4 else 40
    length = "0&0xFFFF" if f == 4 else "4>>16"
    whole = 0 if f == 4 else 40
    yield Case(
        f'-m u32 {{!}}--u32 "{length}={60 - whole},100:{200 - whole}"',
        [u(b"x" * (60 - header - 8)), u(b"x" * (200 - header - 8))],
        [u(b"x" * (59 - header - 8)), u(b"x" * (201 - header - 8))],
    )
    # The last four bytes there are, and the first that there are not.
    end = header + 8 + 12
    yield Case(f'-m u32 {{!}}--u32 "{end - 4}=0x{b"last".hex()}"', [u(b"x" * 8 + b"last")], [u(b"x" * 8 + b"lost")])
    yield Case(f'-m u32 --u32 "{end - 3}=0:0xffffffff"', [u(b"x" * 13)], [u(b"x" * 12)])
    yield Case(f'-m u32 ! --u32 "{end - 3}=0:0xffffffff"', [u(b"x" * 12)], [u(b"x" * 13)])
    at = "0>>22&0x3C@" if f == 4 else "0&0@40&0@40&0@"
    port = f"{at} 0 & 0xffff = 53" if f == 4 else "40 & 0xffff = 53"
    yield Case(f'-m u32 {{!}}--u32 "{port}"', [u(dport=53)], [u(dport=54)])
    if f == 4:
        yield Case(
            '-m u32 {!}--u32 "6&0xFF=17 && 4&0x3FFF=0 && 0>>22&0x3C@8=0x68616c6c"',
            [u(b"hallo"), P(udp(payload=b"hallo"), options=b"\1" * 8)],
            [u(b"hello"), P(tcp(payload=b"hallo")), P(udp(payload=b"hallo"), more=True), later(f, UDP, b"12345678hallo")],
        )
    # A number from the packet that leads far past its end, and round to its beginning again.
    yield Case(f'-m u32 {{!}}--u32 "{header + 8}@0=0:0xffffffff"', [u(b"\0" * 8)], [u(b"\xff" * 8), u(b"\0\0\1\0")])
    yield Case(f'-m u32 --u32 "{header + 8}@{0xFFFFFFFF}=0:0xffffffff"', [], [u(b"\0\0\0\1" * 2)])
