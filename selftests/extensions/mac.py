# SPDX-License-Identifier: GPL-2.0
"""-m mac"""

from case import *

HOOKS = ("PREROUTING", "INPUT", "FORWARD")


def rule(dice):
    address = ":".join(f"{dice.below(4):x}" for _ in range(6))
    return f"-m mac {dice.no()}--mac-source {dice.pick(address, address.upper(), '02:aB:cd:EF:00:1')}"


def packet(_):
    return None, {}


def cases(_):
    mac = ":".join(f"{byte:02X}" for byte in address_of("client", "c0"))
    yield Case(f"-m mac {{!}}--mac-source {mac}", [P(udp()), P(tcp())])
    for at in range(0, 17, 3):
        digit = "1" if mac[at + 1] != "1" else "2"
        other = mac[: at + 1] + digit + mac[at + 2 :]
        yield Case(f"-m mac {{!}}--mac-source {other}", [], [P(udp())])
