# SPDX-License-Identifier: GPL-2.0
"""-m bpf"""

from case import *

LOADS = {"word": 0x20, "half": 0x28, "byte": 0x30}
ANCILLARY, NETWORK = 0xFFFFF000, 0xFFF00000
RET_K, RET_A = 6, 22


def written(*program):
    return f'--bytecode "{len(program)},' + ",".join(" ".join(map(str, one)) for one in program) + '"'


def instruction(dice, left):
    """One at random, `left` of which follow."""
    offset = lambda: dice.near(0, 2, 9, 20, 24, 36, 40, 48, end=120)
    operand = lambda: dice.pick(dice.below(8), dice.below(256), dice.below(1 << 32))
    kind = dice.below(10)
    if kind < 3:
        return dice.pick(*LOADS.values()), 0, 0, dice.pick(0, 0, 0, NETWORK) + offset()
    if kind == 3:
        return dice.pick((0x40, 0, 0, offset()), (0x50, 0, 0, NETWORK + offset()), (0xB1, 0, 0, dice.below(30)))
    if kind == 4:
        return dice.pick(0x20, 0x28, 0x30), 0, 0, ANCILLARY + dice.pick(0, 20, 40)
    if kind == 5:
        return dice.pick((0x80, 0, 0, 0), (0x81, 0, 0, 0), (0, 0, 0, operand()), (1, 0, 0, dice.below(40)))
    if kind == 6:
        # The first instructions have written these slots.
        return dice.pick(0x60, 0x61, 2, 3), 0, 0, 1 + dice.below(2)
    if kind == 7:
        code = dice.pick(0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xA4)
        return code + dice.pick(0, 8), 0, 0, 1 + dice.below(31)
    if kind == 8:
        return dice.pick((0x84, 0, 0, 0), (7, 0, 0, 0), (0x87, 0, 0, 0), (5, 0, 0, dice.below(left)))
    code = dice.pick(0x15, 0x25, 0x35, 0x45) + dice.pick(0, 8)
    return code, dice.below(left), dice.below(left), operand()


def rule(dice):
    length = 1 + dice.below(12)
    body = [instruction(dice, length - at) for at in range(length)]
    end = dice.pick((RET_K, 0, 0, dice.below(2)), (RET_A, 0, 0, 0))
    return "-m bpf " + written((2, 0, 0, 1), (3, 0, 0, 2), *body, end)


def packet(dice):
    return dice.pick(tcp(dice.port(), dice.port(), payload=dice.bytes(40)), udp(dice.port(), dice.port())), {}


def cases(f):
    u = lambda payload=b"", **k: P(udp(payload=payload, **k))
    header = 20 if f == 4 else 40
    yes, no = (RET_K, 0, 0, 1), (RET_K, 0, 0, 0)
    protocol = written((48, 0, 0, 9 if f == 4 else 6), (21, 0, 1, TCP), yes, no)
    yield Case(f"-m bpf {protocol}", [P(tcp())], [u(), ping(family=f)])
    yield Case(f"-m bpf {protocol[:-1]},\"", [P(tcp())], [u()])
    length = written((0x80, 0, 0, 0), (0x35, 0, 1, 100), yes, no)
    yield Case(f"-m bpf {length}", [u(b"x" * (100 - header - 8))], [u(b"x" * (99 - header - 8))])
    # A load past the end ends the program, and so does one before the beginning.
    past = written((LOADS["word"], 0, 0, header + 12), yes)
    yield Case(f"-m bpf {past}", [u(b"x" * 8)], [u(b"x" * 7)])
    yield Case("-m bpf " + written((LOADS["word"], 0, 0, 0x80000000), yes), [], [u()])
    port = written((1, 0, 0, header), (0x48, 0, 0, 2), (21, 0, 1, 53), yes, no)
    yield Case(f"-m bpf {port}", [u(dport=53)], [u(dport=54)])
    if f == 4:
        port = written((0xB1, 0, 0, 0), (0x48, 0, 0, NETWORK + 2), (21, 0, 1, 53), yes, no)
        options = P(udp(dport=53), options=b"\1" * 8)
        yield Case(f"-m bpf {port}", [u(dport=53), options], [u(dport=54)])
    kind = written((0x28, 0, 0, ANCILLARY), (21, 0, 1, 0x0800 if f == 4 else 0x86DD), yes, no)
    yield Case(f"-m bpf {kind}", [u()], [])
    mark = written((0x20, 0, 0, ANCILLARY + 20), (21, 0, 1, 7), yes, no)
    yield Case(f"-m bpf {mark}", [u()], before=["-j MARK --set-mark 7"])
    yield Case(f"-m bpf {mark}", [], [u()], before=["-j MARK --set-mark 6"])
    yield Case("-m bpf " + written(*[(4, 0, 0, 1)] * 62, (20, 0, 0, 62), (RET_A, 0, 0, 0)), [], [u()])
    yield Case("-m bpf " + written(*[(4, 0, 0, 1)] * 63, (RET_A, 0, 0, 0)), [u()])
