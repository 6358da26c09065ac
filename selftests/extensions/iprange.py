# SPDX-License-Identifier: GPL-2.0
"""-m iprange"""

from case import *


def rule(dice):
    # The addresses of differ: packets for each rule come from a network of their own, and go to a single one.
    source = "10.7.{}.{}" if dice.family == 4 else "fd00:7:{:x}::{}"
    target = "10.9.{}.{}" if dice.family == 4 else "fd00:9:{:x}::{}"

    def some(option, form, networks):
        low, high = sorted([(dice.below(networks), dice.below(9)), (dice.below(networks), dice.below(9))])
        return f"{dice.no()}--{option} {form.format(*low)}" + dice.pick("", *[f"-{form.format(*high)}"] * 3)

    ranges = [some("src-range", source, 25), some("dst-range", target, 1)]
    return "-m iprange " + " ".join(dice.pick(ranges, ranges[:1], ranges[1:], ranges[::-1]))


def packet(_):
    return None, {}


def cases(f):
    net = "10.9" if f == 4 else "fd00:9"
    for option, by, way, net in (("src", "d", "source", net.replace("9", "5")), ("dst", "s", "target", net)):
        p = lambda last, way=way, net=net: P(udp(), **{way: net + last})
        m = f"-m iprange {{!}}--{option}-range {net}"
        if f == 4:
            yield Case(f"{m}.1.5", [p(".1.5")], [p(".1.4"), p(".1.6"), p(".2.5")], by=by)
            yield Case(
                f"{m}.1.250-{net}.3.9",
                [p(".1.250"), p(".2.1"), p(".2.255"), p(".3.9")],
                [p(".1.249"), p(".3.10"), p(".0.251"), p(".4.1")],
                by=by,
            )
        else:
            yield Case(f"{m}::5", [p("::5")], [p("::4"), p("::6"), p(":1::5")], by=by)
            yield Case(
                f"{m}:1::fffe-{net}:3::9",
                [p(":1::fffe"), p(":2::1"), p(":2::ffff"), p(":3::9")],
                [p(":1::fffd"), p(":3::a"), p("::ffff"), p(":4::1")],
                by=by,
            )
