# SPDX-License-Identifier: GPL-2.0
"""-m hbh, and what is the same of -m dst"""

from case import *

FAMILIES = (6,)
PAD1, PADN, ALERT, OTHER = 0, 1, 5, 30


def header(*options):
    """The header with these options, a type and data each, and padding."""
    data = b"".join(bytes([kind]) + (b"" if kind == PAD1 else bytes([len(body)]) + body) for kind, body in options)
    left = -(len(data) + 2) % 8
    data += b"\0" * left if left < 2 else bytes([PADN, left - 2]) + b"\0" * (left - 2)
    return bytes([0, (len(data) + 2) // 8 - 1]) + data


SOME = [(PAD1, b""), (PADN, b""), (PADN, b"\0\0"), (ALERT, b"\0\0"), *((OTHER, b"x" * length) for length in (0, 3, 7))]


def rule(dice, name="hbh"):
    def option():
        kind, body = dice.pick(*SOME)
        return f"{kind}" + ("" if kind == PAD1 else dice.pick("", f":{len(body)}", f":{dice.near(len(body), end=255)}"))

    options = lambda: ",".join(option() for _ in range(1 + dice.below(4)))
    return " ".join(
        [
            f"-m {name}",
            *dice.sometimes(0.4, lambda: f"{dice.no()}--{name}-len {dice.pick(8, 8, 16, 24, 9, 2**32 - 1)}"),
            *dice.sometimes(0.6, lambda: f"--{name}-opts {options()}"),
        ]
    )


def packet(dice, number=HOP_BY_HOP):
    data = header(*[dice.pick(*SOME) for _ in range(dice.below(4))])
    if dice.chance(0.2):
        # Another length of the header, or of an option.
        at = dice.pick(1, 3, 5)
        data = data[:at] + bytes([dice.pick(0, 1, 2, 6, 255)]) + data[at + 1 :]
    if dice.chance(0.1):
        return (UDP, b""), {"headers": [(number, data[: 1 + dice.below(len(data))])]}
    other = DESTINATION if number == HOP_BY_HOP else HOP_BY_HOP
    after = dice.sometimes(0.2, lambda: (other, header((OTHER, b""))))
    return None, {"headers": [*after, (number, data)] if other == HOP_BY_HOP else [(number, data), *after]}


def cases(f, name="hbh", number=HOP_BY_HOP, other=DESTINATION):
    h = lambda *options: P(udp(), headers=[(number, header(*options))])
    none, another = P(udp()), P(udp(), headers=[(other, header())])
    # A length that says more than there is. The stack itself looks at what is hop by hop, and no hook sees those.
    cut = P((UDP, b""), headers=[(number, bytes([0, 1]) + header()[2:])])
    # The options end with the header, not with the packet.
    alert, long = (ALERT, b"\0\0"), (OTHER, b"1234567")
    yield Case(f"-m {name}", [h(), h(alert), h(long)], [none, another, cut])
    yield Case(f"-m {name} {{!}}--{name}-len 8", [h(), h(alert)], [h(long)], [none, another, cut])
    yield Case(f"-m {name} {{!}}--{name}-len 16", [h(long)], [h(), h(alert)], [none])
    yield Case(f"-m {name} {{!}}--{name}-len 1", [], [h(), h(alert), h(long)], [none])
    yield Case(f"-m {name} --{name}-opts 5", [h(alert), h(alert, long)], [h(), h(long, alert), none, another])
    yield Case(f"-m {name} --{name}-opts 5:2,1", [h(alert)], [h(), h(long), h(alert, (OTHER, b""))])
    yield Case(f"-m {name} --{name}-opts 5:1", [], [h(alert)])
    yield Case(f"-m {name} --{name}-opts 30:7,5:2", [h(long, alert)], [h(alert, long), h(long), h((OTHER, b""), alert)])
    pad = (PAD1, b"")
    yield Case(f"-m {name} --{name}-opts 0,0,5", [h(pad, pad, alert)], [h(pad, alert), h(alert)])
    yield Case(f"-m {name} ! --{name}-len 8 --{name}-opts 5", [h(alert, long)], [h(alert), h(long)])
    # Six bytes of options are all that a header of eight has: nothing comes behind them.
    full = h((OTHER, b"1234"))
    yield Case(f"-m {name} --{name}-opts 30:4", [full], [h((OTHER, b"123"))])
    yield Case(f"-m {name} --{name}-opts 30:4,4", [], [full])
