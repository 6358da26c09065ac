# SPDX-License-Identifier: GPL-2.0
"""-m addrtype; what can't be forwarded, and so is no case, is in ../routes"""

from case import *

HOOKS = ("FORWARD",)

V4 = "UNSPEC UNICAST LOCAL BROADCAST ANYCAST MULTICAST BLACKHOLE UNREACHABLE PROHIBIT THROW NAT XRESOLVE".split()
V6 = "UNSPEC UNICAST LOCAL ANYCAST MULTICAST UNREACHABLE".split()


def rule(dice):
    kinds = V4 if dice.family == 4 else V6
    some = lambda: ",".join(dice.pick(*kinds, "UNICAST") for _ in range(1 + dice.below(3)))
    asked = [
        *dice.sometimes(0.6, lambda: f"{dice.no()}--src-type {some()}"),
        *dice.sometimes(0.6, lambda: f"{dice.no()}--dst-type {some()}"),
    ]
    limit = dice.sometimes(0.3, lambda: dice.pick("--limit-iface-in", "--limit-iface-out"))
    return " ".join(["-m addrtype", *(asked or ["--src-type UNICAST"]), *limit])


def packet(_):
    return None, {}


def cases(f):
    some = [P(udp()), P(tcp())]
    for way in ("src", "dst"):
        yield Case(f"-m addrtype {{!}}--{way}-type UNICAST", some)
        for kind in ("LOCAL", "MULTICAST", "UNSPEC", "ANYCAST", "UNREACHABLE"):
            # No route leads back to where cases come from; of IPv4 only the table of local addresses is asked.
            hit = (f, way, kind) == (6, "src", "UNREACHABLE")
            yield Case(f"-m addrtype {{!}}--{way}-type {kind}", *((some, []) if hit else ([], some)))
        # Of IPv4 it is one of the list; of IPv6 what an address is by its bits must hold, and its route beside it.
        yield Case(f"-m addrtype {{!}}--{way}-type UNICAST,LOCAL", *((some, []) if f == 4 else ([], some)))
        for limit in ("in", "out"):
            yield Case(f"-m addrtype {{!}}--{way}-type LOCAL --limit-iface-{limit}", [], some)
    yield Case("-m addrtype ! --src-type LOCAL ! --dst-type LOCAL", some)
    yield Case("-m addrtype --src-type UNICAST --dst-type LOCAL", [], some)
