# SPDX-License-Identifier: GPL-2.0
"""-m ecn"""

from case import *

CWR, ECE = 0x80, 0x40


def rule(dice):
    ect = lambda: f"{dice.no()}--ecn-ip-ect {dice.below(4)}"
    flags = [f"{dice.no()}--ecn-tcp-{flag}" for flag in dice.pick(["cwr"], ["ece"], ["cwr", "ece"], ["ece", "cwr"])]
    return dice.pick(f"-m ecn {ect()}", f"-p tcp -m ecn {' '.join([*flags, *dice.sometimes(0.3, ect)])}")


def packet(dice):
    protocol, data = tcp(flags=ACK | dice.pick(0, CWR, ECE, CWR | ECE))
    return (protocol, data[: dice.pick(len(data), len(data), 19, 14)]), {"tos": dice.below(4) | dice.pick(0, 0xB8)}


def cases(f):
    i = lambda ect: P(udp(), tos=0xB8 | ect)
    t = lambda flags, ect=0: P(tcp(flags=flags), tos=ect)
    never = [P(udp()), later(f, TCP, tcp(flags=CWR | ECE)[1])]
    yield Case("-m ecn {!}--ecn-ip-ect 0", [i(0)], [i(1), i(2), i(3)])
    yield Case("-m ecn {!}--ecn-ip-ect 2", [i(2)], [i(0), i(1), i(3)])
    yield Case("-p tcp -m ecn {!}--ecn-tcp-cwr", [t(CWR), t(CWR | ECE | SYN)], [t(ECE), t(ACK), t(0x3F)], never)
    yield Case("-p tcp -m ecn {!}--ecn-tcp-ece", [t(ECE), t(CWR | ECE | SYN)], [t(CWR), t(ACK), t(0x3F)], never)
    yield Case(
        "-p tcp -m ecn --ecn-tcp-ece ! --ecn-tcp-cwr --ecn-ip-ect 1",
        [t(ECE, 1), t(ECE | ACK, 1)],
        [t(ECE | CWR, 1), t(ECE, 2), t(0, 1)],
    )
    # Unlike other matches, it does not drop what is cut off: the next rule may take it.
    yield Case("-p tcp -m ecn ! --ecn-tcp-cwr", [], [P((TCP, tcp()[1][:19]))])
