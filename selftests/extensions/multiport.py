# SPDX-License-Identifier: GPL-2.0
"""-m multiport"""

from case import *


def rule(dice):
    ports = [str(dice.port()), "20:80", "400:1024"]
    some = ",".join(dice.pick(*ports) for _ in range(dice.below(5) + 1))
    which = dice.pick("sports", "dports", "ports", "source-ports", "destination-ports")
    return f"-p {dice.pick('tcp', 'udp', 'sctp', 'udplite', 'dccp')} -m multiport {dice.no()}--{which} {some}"


def packet(dice):
    data = dice.bytes(40)
    protocol = dice.pick(TCP, UDP, 132, 136, 33)
    return tcp(dice.port(), dice.port()) if protocol == TCP else udp(dice.port(), dice.port(), data, protocol), {}


def cases(f):
    t = lambda s, d: P(tcp(sport=s, dport=d))
    u = lambda s, d: P(udp(sport=s, dport=d))
    m = "-m multiport {!}--"
    yield Case(
        f"-p tcp {m}dports 22,80,443",
        [t(1, 22), t(1, 80), t(1, 443)],
        [t(22, 81), t(80, 23)],
        [u(1, 80), later(f, TCP, tcp()[1])],
    )
    yield Case(
        f"-p tcp {m}sports 22,1000:2000",
        [t(22, 1), t(1000, 1), t(2000, 1)],
        [t(23, 22), t(999, 1500), t(2001, 1)],
        [u(22, 1)],
    )
    yield Case(
        f"-p udp {m}ports 53,60:70", [u(53, 9), u(9, 53), u(9, 65), u(60, 70)], [u(9, 10), u(59, 71)], [t(53, 53)]
    )
    yield Case(
        "-p udp -m multiport --dports " + ",".join(map(str, range(101, 116))),
        [u(1, 101), u(1, 115)],
        [u(1, 100), u(1, 116), u(101, 1)],
    )
    yield Case("-p tcp -m multiport --sports 5:6 -m multiport --dports 7,8", [t(5, 7), t(6, 8)], [t(5, 6), t(4, 7)])
    for protocol in (132, 136, 33):
        yield Case(
            f"-p {protocol} {m}dports 7,9",
            [P(udp(dport=9, protocol=protocol))],
            [P(udp(dport=8, protocol=protocol))],
            [u(1, 9)],
        )
