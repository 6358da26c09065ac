# SPDX-License-Identifier: GPL-2.0
"""-m eui64"""

from case import *

HOOKS = ("PREROUTING", "INPUT", "FORWARD")
FAMILIES = (6,)


def rule(_):
    return "-m eui64"


def packet(_):
    return None, {}


def cases(_):
    mac = bytearray(address_of("client", "c0"))
    mac[0] ^= 2
    identifier = bytes(mac[:3]) + b"\xff\xfe" + bytes(mac[3:])
    source = lambda identifier: str(ipaddress.IPv6Address(b"\xfd\0\0\5" + b"\0" * 4 + identifier))
    others = [identifier[:at] + bytes([identifier[at] ^ 2]) + identifier[at + 1 :] for at in range(8)]
    yield Case(
        "-m eui64", [P(udp(), source=source(identifier))], [P(udp(), source=source(other)) for other in others], by="d"
    )
