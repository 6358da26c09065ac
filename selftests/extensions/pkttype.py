# SPDX-License-Identifier: GPL-2.0
"""-m pkttype; what is not for this machine is not forwarded, and is tried in t-metadata.sh."""

from case import *

TYPES = ["unicast", "broadcast", "multicast", "otherhost", "bcast", "mcast", "host", "Unicast"]


def rule(dice):
    return f"-m pkttype {dice.no()}--pkt-type {dice.pick(*TYPES)}"


def packet(_):
    return None, {}


def cases(_):
    yield Case("-m pkttype {!}--pkt-type unicast", [P(udp())])
    for kind in ("broadcast", "multicast", "otherhost"):
        yield Case(f"-m pkttype {{!}}--pkt-type {kind}", [], [P(udp())])
