# SPDX-License-Identifier: GPL-2.0
"""-m sctp"""

from case import *

SCTP = 132
KINDS = {"DATA": 0, "INIT": 1, "SACK": 3, "ABORT": 6, "SHUTDOWN_COMPLETE": 14, "I_DATA": 64, "PAD": 132, "ASCONF": 193}


def sctp(*chunks, sport=1025, dport=80):
    """A packet with these chunks: each a type, its flags and its data."""
    data = struct.pack("!HHII", sport, dport, 7, 0)
    for kind, flags, body in chunks:
        data += struct.pack("!BBH", kind, flags, 4 + len(body)) + body + b"\0" * (-len(body) % 4)
    return SCTP, data


def rule(dice):
    def chunk():
        name = dice.pick("DATA", *KINDS)
        # Flags of I_DATA are left out: iptables asks for them of another chunk.
        letters = {"DATA": "IUBE", "ABORT": "T", "SHUTDOWN_COMPLETE": "T"}.get(name, "")
        some = "".join(dice.pick(letter, letter.lower()) for letter in letters if dice.chance(0.4))
        return name + (f":{some}" if some else "")

    def ports():
        low, high = sorted([dice.port(), dice.port()])
        return dice.pick(str(low), f"{low}:{high}", f":{high}", f"{low}:")

    def chunks():
        several = {one.split(":")[0]: one for one in (chunk() for _ in range(3))}
        some = dice.pick("ALL", "NONE", *[",".join(several.values())] * 8)
        return f"{dice.no()}--chunk-types {dice.pick('any', 'any', 'all', 'only')} {some}"

    return " ".join(
        [
            "-p sctp" + dice.pick("", " -m sctp"),
            *dice.sometimes(0.15, lambda: f"{dice.no()}--{dice.pick('sport', 'source-port')} {ports()}"),
            *dice.sometimes(0.15, lambda: f"{dice.no()}--{dice.pick('dport', 'destination-port')} {ports()}"),
            *dice.sometimes(0.7, chunks),
        ]
    )


def apart(text):
    # Where a packet ends before its chunks do iptables counts it as one that is not as asked, and drops it then.
    return "! --chunk-types" in text


def packet(dice):
    body = lambda: b"x" * dice.pick(0, 0, 1, 4, 12)
    flags = lambda: dice.pick(0, 1, 2, 3, 4, 8, 15)
    chunks = [(dice.pick(0, 0, *KINDS.values()), flags(), body()) for _ in range(1 + dice.below(3))]
    protocol, data = sctp(*chunks, sport=dice.port(), dport=dice.port())
    if dice.chance(0.1):
        data = data[: dice.below(len(data))]
    if dice.chance(0.1):
        data = data[:14] + struct.pack("!H", dice.pick(0, 1, 5, 255)) + data[16:]
    return (protocol, data), {}


def cases(f):
    s = lambda *kinds, **ports: P(sctp(*[(kind, 0, b"") for kind in kinds], **ports))
    init, sack, abort, unknown = 1, 3, 6, 77
    never = [P(udp(dport=80)), later(f, SCTP)]
    yield Case("-p sctp {!}--dport 80", [s(), s(init)], [s(dport=81), s(sport=80, dport=7)], never)
    yield Case("-p sctp {!}--sport 5:9", [s(sport=5), s(sport=9)], [s(sport=4), s(sport=10)], never)
    yield Case("-p sctp --sport 5 --dport 6", [s(sport=5, dport=6)], [s(sport=6, dport=5), s(sport=5), s(dport=6)])
    yield Case("-p sctp -m multiport {!}--dports 5,6", [s(dport=5), s(dport=6)], [s(dport=7)], never)
    yield Case("-p sctp -m multiport {!}--ports 5", [s(dport=5), s(sport=5)], [s(dport=7)], never)
    # A packet without a chunk, with a chunk that has no length, or with less than a chunk at its end.
    ends = lambda kind: P((SCTP, sctp((kind, 0, b""))[1] + b"\3\0"))
    odd = [s(), P((SCTP, sctp()[1] + b"\3\0\0\0")), later(f, SCTP)]
    for flag, way, hits, misses in (
        ("INIT,SACK", "any", [s(init), s(unknown, sack)], [s(abort), s(unknown)]),
        ("INIT,SACK", "all", [s(init, sack), s(sack, abort, init)], [s(init), s(sack, abort)]),
        ("INIT,SACK", "only", [s(init), s(sack, init, sack)], [s(init, abort), s(unknown)]),
        ("ALL", "only", [s(init), s(unknown, 255)], []),
        ("NONE", "any", [], [s(init), s(unknown)]),
        ("NONE", "all", [s(init), s(unknown)], []),
    ):
        yield Case(f"-p sctp {{!}}--chunk-types {way} {flag}", hits, misses, odd)
    yield Case("-p sctp {!}--chunk-types any INIT", [ends(init)], [s(unknown)], [ends(unknown)])
    data = lambda *flags: P(sctp(*[(0, each, b"123") for each in flags]))
    for flag, way, hits, misses in (
        ("DATA:Be", "any", [data(2), data(3, 2), data(14)], [data(3), data(0, 1)]),
        ("DATA:Be", "all", [data(2), data(3, 2)], [data(3), s(init)]),
        ("DATA:Be", "only", [data(2), data(2, 14)], [data(3), data(2, 3)]),
        ("DATA:iu", "any", [data(3)], [data(4), data(8), data(15)]),
        ("INIT,ABORT:T", "only", [s(init), P(sctp((6, 1, b"")))], [s(abort), data(1)]),
        ("I_DATA:U", "any", [P(sctp((64, 4, b"")))], [P(sctp((64, 8, b""))), data(4)]),
        ("200", "any", [s(200), s(init, 200)], [s(201)]),
    ):
        yield Case(f"-p sctp {{!}}--chunk-types {way} {flag}", hits, misses)
