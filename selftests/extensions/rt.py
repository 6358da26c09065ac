# SPDX-License-Identifier: GPL-2.0
"""-m rt"""

from case import *

FAMILIES = (6,)
HOPS = ["fd00:1::1", "fd00:1::2", "2001:db8::ff00:42:8329"]


def header(*hops, kind=0, left=0, reserved=0):
    data = struct.pack("!BBBBI", 0, 2 * len(hops), kind, left, reserved)
    return ROUTING, data + b"".join(packed(hop) for hop in hops)


def hops(dice, most):
    return [dice.pick(*HOPS) for _ in range(dice.below(most + 1))]


def rule(dice):
    kind = dice.pick("", f"{dice.no()}--rt-type {dice.pick(0, 2, 4, 255)}", *["--rt-type 0"] * 2)
    listed = ",".join(hops(dice, 3)) or dice.pick(*HOPS)
    loose = dice.pick("", " --rt-0-not-strict")
    return " ".join(
        [
            f"-m rt {kind}",
            *dice.sometimes(0.4, lambda: f"{dice.no()}--rt-segsleft {dice.range(0, 1, 2, end=2**32)}"),
            *dice.sometimes(0.3, lambda: f"{dice.no()}--rt-len {dice.pick(8, 24, 40, 56, 2**32 - 1)}"),
            *dice.sometimes(0.2 if kind == "--rt-type 0" else 0, lambda: "--rt-0-res"),
            *dice.sometimes(0.7 if kind == "--rt-type 0" else 0, lambda: f"--rt-0-addrs {listed}{loose}"),
        ]
    )


def packet(dice):
    number, data = header(
        *hops(dice, 3), kind=dice.pick(0, 0, 0, 2, 4), left=dice.below(4), reserved=dice.pick(0, 0, 1, 1 << 31)
    )
    before = dice.sometimes(0.3, lambda: (DESTINATION, padding()))
    if dice.chance(0.2):
        data = data[:1] + bytes([dice.pick(0, 1, 2, 3, 255)]) + data[2:]
    if dice.chance(0.1):
        return (UDP, b""), {"headers": [*before, (number, data[: 1 + dice.below(len(data))])]}
    return None, {"headers": [*before, (number, data)]}


def cases(f):
    a, b, c = HOPS
    h = lambda *hops, **more: P(udp(), headers=[header(*hops, **more)])
    none, cut = P(udp()), P((UDP, b""), headers=[(ROUTING, header(a)[1][:23])])
    behind = P(udp(), headers=[(DESTINATION, padding()), header(a)])
    yield Case("-m rt", [h(), h(a), h(kind=2), behind], [none, cut])
    yield Case("-m rt {!}--rt-type 0", [h(), h(a, b)], [h(kind=2), h(kind=255)], [none, cut])
    yield Case("-m rt {!}--rt-segsleft 2", [h(left=2)], [h(), h(left=1), h(left=3)], [none])
    yield Case("-m rt {!}--rt-segsleft 2:4", [h(left=2), h(left=4)], [h(left=1), h(left=5)], [none])
    yield Case("-m rt {!}--rt-segsleft :255", [h(), h(left=255)], [], [none])
    yield Case("-m rt {!}--rt-len 24", [h(a), h(b, kind=2)], [h(), h(a, b)], [none, cut])
    yield Case("-m rt --rt-type 0 --rt-0-res", [h(), h(a)], [h(reserved=1), h(reserved=1 << 31), h(kind=2)])
    strict = f"-m rt --rt-type 0 --rt-0-addrs {a},{b}"
    yield Case(strict, [h(a, b), h(a, b, left=1)], [h(a), h(b, a), h(a, b, c), h(a, c), h(), h(a, b, kind=2), none])
    yield Case(
        f"{strict} --rt-0-not-strict",
        [h(a, b), h(a, b, c), h(c, a, c, b)],
        [h(a), h(b, a), h(b, b, a), h(), h(a, b, kind=2), none],
    )
    yield Case(f"{strict} --rt-0-res ! --rt-segsleft 0", [h(a, b, left=1)], [h(a, b), h(a, b, left=1, reserved=1)])
