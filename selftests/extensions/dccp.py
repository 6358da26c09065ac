# SPDX-License-Identifier: GPL-2.0
"""-m dccp"""

from case import *

DCCP = 33
TYPES = ["REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK", "INVALID"]
# How long the header of each type is, with short sequence numbers and without options.
LENGTHS = [16, 24, 12, 20, 20, 20, 20, 24, 20, 20, 24, 24, 24, 24, 24, 24]


def dccp(kind=2, options=b"", sport=1025, dport=80, x=0, words=None):
    options += b"\0" * (-len(options) % 4)
    length = LENGTHS[kind] + 4 * x
    words = (length + len(options)) // 4 if words is None else words
    start = struct.pack("!HHBBHBBH", sport, dport, words, 0, 0, kind << 1 | x, 0, 0)
    return DCCP, start + b"\xee" * (length - 12) + options


def rule(dice):
    def ports():
        low, high = sorted([dice.port(), dice.port()])
        return dice.pick(str(low), f"{low}:{high}", f":{high}", f"{low}:")

    types = lambda: ",".join(dice.dice.sample(TYPES, 1 + dice.below(6)))
    return " ".join(
        [
            "-p dccp" + dice.pick("", " -m dccp"),
            *dice.sometimes(0.15, lambda: f"{dice.no()}--{dice.pick('sport', 'source-port')} {ports()}"),
            *dice.sometimes(0.15, lambda: f"{dice.no()}--{dice.pick('dport', 'destination-port')} {ports()}"),
            *dice.sometimes(0.6, lambda: f"{dice.no()}--dccp-types {types()}"),
            *dice.sometimes(0.3, lambda: f"{dice.no()}--dccp-option {dice.pick(1, 2, 32, 43, 255)}"),
        ]
    )


def apart(text):
    # Where a packet ends before its options do iptables counts it as one without the option, and drops it then.
    return "! --dccp-option" in text


def packet(dice):
    options = bytes.fromhex(dice.pick("", "01", "2b0401022000", "010102022b03ff", "ff", "2b00", "2bff", "20" * 12))
    protocol, data = dccp(
        dice.pick(*range(11), 15), options, dice.port(), dice.port(), dice.below(2), dice.pick(*[None] * 6, 3, 5, 7, 255)
    )
    if dice.chance(0.2):
        data = data[: dice.below(len(data) + 1)]
    return (protocol, data), {}


def cases(f):
    d = lambda *details, **more: P(dccp(*details, **more))
    never = [P(udp(dport=80)), P((DCCP, dccp()[1][:11])), later(f, DCCP)]
    yield Case("-p dccp {!}--dport 80", [d()], [d(dport=81), d(sport=80, dport=7)], never)
    yield Case("-p dccp {!}--sport 5:9", [d(sport=5), d(sport=9)], [d(sport=4), d(sport=10)], never)
    yield Case("-p dccp -m multiport {!}--dports 5,6", [d(dport=5), d(dport=6)], [d(dport=7)], [later(f, DCCP)])
    for kind, name in enumerate(TYPES[:10]):
        yield Case(f"-p dccp {{!}}--dccp-types {name}", [d(kind), d(kind, x=1)], [d((kind + 1) % 16), d(15)], never)
    yield Case("-p dccp {!}--dccp-types INVALID", [d(10), d(11), d(15)], [d(0), d(9)], never)
    yield Case("-p dccp {!}--dccp-types REQUEST,data,RESET", [d(0), d(2), d(7)], [d(1), d(3), d(10)])
    # The options begin where the type of the packet says; what is before them is none.
    short = [d(0, words=3), d(1, words=5), d(2, x=1, words=3), d(2, words=0), d(2, words=4)]
    has, has_not = b"\1\x2b\4\1\2\0", b"\1\x20\4\x2b\x2b\0"
    yield Case(
        "-p dccp {!}--dccp-option 43",
        [d(kind, has, x=x) for kind in range(16) for x in (0, 1)],
        [d(), d(2, has_not), d(0, b"\x20\0\x20\xff\x2b\0\0\0"), *(d(kind) for kind in range(16))],
        [*short, later(f, DCCP)],
    )
    yield Case("-p dccp --dccp-types DATA --dccp-option 1", [d(2, b"\1")], [d(2), d(4, b"\1")])
