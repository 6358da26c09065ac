# SPDX-License-Identifier: GPL-2.0
"""-m hashlimit"""

from case import *

MODES = ["srcip", "srcport", "dstip", "dstport"]


def named(dice):
    # iptables takes the table of another rule with the name for what it is like, so no two have the same.
    return f"--hashlimit-name n{dice.below(1 << 60):x}"


def modes(dice):
    some = [mode for mode in MODES if dice.chance(0.5)]
    return dice.sometimes(0.9, lambda: "--hashlimit-mode " + ",".join(some)) if some else []


def masks(dice):
    return [
        option
        for side in ("src", "dst")
        for option in dice.sometimes(
            0.3, lambda: f"--hashlimit-{side}mask {dice.pick(0, 8, 24, 30, 31, 32 if dice.family == 4 else 127)}"
        )
    ]


def rule(dice):
    # Not a token more comes while a test sends its packets, however slowly, and no flow is forgotten.
    limit = dice.pick("upto", "above") + dice.pick(" 1/h", " 30/hour", " 20/HOUR")
    words = [f"{dice.no()}--hashlimit-{limit}", f"--hashlimit-burst {dice.pick(1, 2, 5, 30)}", named(dice)]
    return " ".join(["-m hashlimit", *words, *modes(dice), *masks(dice)])


def printed(dice):
    if dice.chance(0.6):
        unit = dice.pick("", "/s", "/sec", "/Second", "/m", "/min", "/minute", "/h", "/hour")
        rate = f"{dice.pick(1, 3, 7, 10, 60, 1000, 3000, 7001, 10000, dice.below(10000) + 1)}{unit}"
        burst = dice.sometimes(0.5, lambda: f"--hashlimit-burst {dice.pick(1, 2, 7, 20)}")
        matches = dice.sometimes(0.2, lambda: "--hashlimit-rate-match")
    else:
        count, unit = dice.pick(100, 1000, 1024, dice.below(900) + 100), dice.pick("", "k", "m")
        rate = f"{count}{unit}b/s"
        # What iptables prints of others is not what it was given.
        burst = dice.sometimes(0.5, lambda: f"--hashlimit-burst {2 * count + 2}{unit}b") if unit == "m" else []
        matches = dice.sometimes(0.2, lambda: "--hashlimit-rate-match")
    if matches:
        matches += dice.sometimes(0.5, lambda: f"--hashlimit-rate-interval {dice.pick(1, 5, 60)}")
    table = [
        option
        for name, value in (("size", 7), ("max", 300), ("gcinterval", 500), ("expire", 7000), ("expire", 1000))
        for option in dice.sometimes(0.1, lambda: f"--hashlimit-htable-{name} {value}")
    ]
    table = list({option.split()[0]: option for option in table}.values())
    words = [f"{dice.no()}--hashlimit-{dice.pick('upto', 'above')} {rate}", *burst, named(dice)]
    return " ".join(["-m hashlimit", *words, *modes(dice), *masks(dice), *table, *matches])


def packet(dice):
    ports = dice.pick(1, 2), dice.pick(1, 2)
    return dice.pick(udp(*ports), tcp(*ports), udp(*ports, protocol=132), icmp(8) if dice.family == 4 else icmp6(128)), {}


def cases(f):
    u = lambda s=1, d=2, **where: P(udp(sport=s, dport=d), **where)
    net, length = ("10.9.0", 24) if f == 4 else ("fd00:9:", 120)
    to = lambda host: u(target=f"{net}.{host}" if f == 4 else f"{net}:{host}")
    m = "-m hashlimit --hashlimit-upto 1/hour --hashlimit-name"
    yield Case(f"{m} a{f} --hashlimit-burst 2", [u(1), u(2)], [u(1), u(3)])
    yield Case(f"{m} b{f} --hashlimit-burst 2 --hashlimit-mode srcport", [u(1), u(2), u(1), u(2)], [u(1), u(2)])
    yield Case(f"{m} c{f} --hashlimit-burst 1 --hashlimit-mode dstport", [u(1, 1), u(1, 2)], [u(3, 1), u(3, 2)])
    yield Case(f"{m} d{f} --hashlimit-burst 1 --hashlimit-mode srcip,dstip", [to(1), to(2)], [to(1), to(2)])
    yield Case(
        f"{m} e{f} --hashlimit-burst 2 --hashlimit-mode dstip --hashlimit-dstmask {length}", [to(1), to(2)], [to(3)]
    )
    yield Case(
        f"-m hashlimit --hashlimit-above 1/hour --hashlimit-burst 1 --hashlimit-name f{f} --hashlimit-mode srcport",
        [],
        [u(1), u(2)],
    )
    yield Case(
        f"{m} g{f} --hashlimit-mode srcport --hashlimit-htable-size 2 --hashlimit-htable-max 2",
        [u(1), u(2), u(1)],
        [u(3)],
    )
    # What should have ports and has none is dropped by either.
    for limit in ("upto", "above"):
        yield Case(
            f"-m hashlimit --hashlimit-{limit} 1/hour --hashlimit-name h{limit}{f} --hashlimit-mode srcport",
            [],
            [],
            [later(f, UDP), P((TCP, b"\0\1\0"))],
        )
    yield Case(f"-m hashlimit --hashlimit-upto 16b/s --hashlimit-name i{f}", [u()], [u()])
    yield Case(f"-m hashlimit --hashlimit-upto 16b/s --hashlimit-burst 32b --hashlimit-name j{f}", [u()] * 3, [u()])
