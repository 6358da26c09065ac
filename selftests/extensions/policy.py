# SPDX-License-Identifier: GPL-2.0
"""-m policy; packets that IPsec handles are in ../t-routes.sh"""

from case import *

HOOKS = ("FORWARD",)


def rule(dice):
    def element():
        mode = dice.pick("tunnel", "tunnel", "transport")
        net = "10.0.0.0/8" if dice.family == 4 else "fd00::/16"
        host = "10.0.1.2" if dice.family == 4 else "fd00:1::2"
        ends = [f"--tunnel-{end} {dice.pick(net, host)}" for end in ("src", "dst") if dice.chance(0.5)]
        asked = [
            *dice.sometimes(0.5, lambda: f"{dice.no()}--reqid {dice.below(1 << 32)}"),
            *dice.sometimes(0.5, lambda: f"{dice.no()}--spi {dice.pick(hex, str)(dice.below(1 << 32))}"),
            *dice.sometimes(0.5, lambda: f"{dice.no()}--proto {dice.pick('esp', 'ah', 'ipcomp', 50, 51)}"),
            f"--mode {mode}",
            *([f"{dice.no()}{end}" for end in ends] if mode == "tunnel" else []),
        ]
        dice.dice.shuffle(asked)
        return " ".join(asked)

    if dice.chance(0.4):
        asked = ["--pol none"]
    elif dice.chance(0.5):
        asked = ["--pol ipsec --strict", " --next ".join(element() for _ in range(1 + dice.below(4)))]
    else:
        asked = dice.sometimes(0.5, lambda: "--pol ipsec") + dice.sometimes(0.7, element)
    return " ".join(["-m policy --dir", dice.pick("in", "out"), *asked])


def packet(_):
    return None, {}


def cases(_):
    some = [P(udp()), P(tcp()), P((50, b"\0\0\x12\x34" * 8))]
    for way in ("in", "out"):
        yield Case(f"-m policy --dir {way} --pol none", some)
        yield Case(f"-m policy --dir {way} --pol ipsec", [], some)
        yield Case(f"-m policy --dir {way} --pol ipsec ! --proto esp", [], some)
        yield Case(f"-m policy --dir {way} --pol ipsec --strict ! --reqid 1", [], some)
