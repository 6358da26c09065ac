# SPDX-License-Identifier: GPL-2.0
"""-m ipv6header"""

from case import *

FAMILIES = (6,)
NAMES = [
    ("hop", "hop-by-hop"), ("dst", "60"), ("route", "ipv6-route"), ("frag", "ipv6-frag", "44"), ("auth", "ah"),
    ("esp", "50"), ("none", "59"), ("prot", "protocol", "255"),
]


def rule(dice):
    some = dice.dice.sample(NAMES, dice.pick(1, 1, 2, 2, 3, 5))
    # What most packets have.
    if dice.chance(0.5) and NAMES[-1] not in some:
        some.append(NAMES[-1])
    names = ",".join(dice.pick(*names) for names in some)
    return f"-m ipv6header {dice.no()}--header {names}{dice.pick('', ' --soft')}"


def packet(dice):
    some = {
        HOP_BY_HOP: padding(),
        DESTINATION: padding(),
        ROUTING: bytes([0, 0, 4, 0, 0, 0, 0, 0]),
        FRAGMENT: fragment_header(dice.pick(0, 0, 8), dice.pick(0, 1)),
        AH: bytes([0, 4]) + bytes(22),
    }
    kinds = dice.dice.sample(sorted(some), dice.below(4))
    esp, none, cut = (50, b"12345678"), (NO_NEXT, b"123"), (DESTINATION, b"\0")
    transport = dice.pick(None, udp(), esp, (50, b"1"), none, (NO_NEXT, b""), cut)
    return transport, {"headers": [(kind, some[kind]) for kind in kinds]}


def cases(f):
    hop, dst, auth = (HOP_BY_HOP, padding()), (DESTINATION, padding()), (AH, bytes([0, 4]) + bytes(22))
    route, frag = (ROUTING, bytes([0, 0, 4, 0, 0, 0, 0, 0])), (FRAGMENT, fragment_header(0, 1))
    h = lambda *headers, transport=udp(): P(transport, headers=headers)
    esp, none = (50, b"12345678"), (NO_NEXT, b"")
    # One that ends before a header tells what follows it is neither of those asked for nor of the others.
    cut = h(transport=(DESTINATION, b"\0"))
    for name, one in (("hop", hop), ("dst", dst), ("route", route), ("frag", frag), ("auth", auth)):
        yield Case(f"-m ipv6header {{!}}--header {name},prot", [h(one)], [h(), h(one, transport=none)], [cut])
    yield Case("-m ipv6header {!}--header prot", [h(), h(transport=tcp())], [h(dst), h(transport=none)], [cut])
    yield Case("-m ipv6header {!}--header none", [h(transport=none)], [h(), h(transport=esp)])
    yield Case("-m ipv6header {!}--header dst,none", [h(dst, transport=none), h(dst, dst, transport=none)], [h(dst)])
    yield Case("-m ipv6header {!}--header esp", [h(transport=esp)], [h(), h(transport=none)], [h(transport=(50, b"1"))])
    yield Case("-m ipv6header {!}--header hop,dst,prot", [h(hop, dst), h(hop, dst, dst)], [h(hop), h(hop, dst, route)])
    yield Case("-m ipv6header --soft --header dst,route", [h(dst, route), h(hop, route, dst)], [h(dst), h(route), h()])
    yield Case("-m ipv6header --soft ! --header dst,route", [h(), h(hop)], [h(dst), h(route), h(dst, route), cut])
    # What the first fragment's headers are is not known of a later one; it is read as if it were.
    later_ = h((FRAGMENT, fragment_header(8, 0)), dst)
    yield Case("-m ipv6header {!}--header frag,dst,prot", [h(frag, dst), later_], [h(frag)])
