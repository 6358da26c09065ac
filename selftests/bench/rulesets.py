# SPDX-License-Identifier: GPL-2.0
"""The rules that are compared, each as iptables says it (and so does oxtables) and as nft does.

The packets go from 10.0.1.2 to 10.0.2.2, UDP port 9 to 9; rules to be walked past ask for something else.
"""

# Kinds of rules: what a person would call it, and the rule of a number.
KINDS = {
    "address": (
        "a source address each",
        lambda n: f"-s 10.{9 + (n >> 16)}.{n >> 8 & 255}.{n & 255}/32",
        lambda n: f"ip saddr 10.{9 + (n >> 16)}.{n >> 8 & 255}.{n & 255}",
    ),
    "port": (
        "a UDP port each",
        lambda n: f"-p udp -m udp --dport {1000 + n}",
        lambda n: f"udp dport {1000 + n}",
    ),
    "interface": (
        "an interface each",
        lambda n: f"-i eth{n}",
        lambda n: f"iifname eth{n}",
    ),
    "mark": (
        "a mark each",
        lambda n: f"-m mark --mark {1 + n:#x}",
        lambda n: f"meta mark {1 + n}",
    ),
    "ports": (
        "six UDP ports each",
        lambda n: "-p udp -m multiport --dports " + ",".join(str(1000 + 6 * n + m) for m in range(6)),
        lambda n: "udp dport { " + ", ".join(str(1000 + 6 * n + m) for m in range(6)) + " }",
    ),
    "range": (
        "a range of addresses each",
        lambda n: f"-m iprange --src-range 10.9.{n >> 8 & 255}.{n & 255}-10.10.{n >> 8 & 255}.{n & 255}",
        lambda n: f"ip saddr 10.9.{n >> 8 & 255}.{n & 255}-10.10.{n >> 8 & 255}.{n & 255}",
    ),
    "length": (
        "a length each",
        lambda n: f"-m length --length {1000 + n}",
        lambda n: f"meta length {1000 + n}",
    ),
    "ttl": (
        "a time to live each",
        lambda n: f"-m ttl --ttl-eq {100 + n % 100}",
        lambda n: f"ip ttl {100 + n % 100}",
    ),
}

# Kinds that a person who knows nft would make one rule of, with a set.
SETS = {
    "address": ("ipv4_addr", "ip saddr", KINDS["address"][2]),
    "port": ("inet_service", "udp dport", KINDS["port"][2]),
}

# What every packet has, for the rule that is hit.
HIT = ("-s 10.0.1.2/32 -p udp", "ip saddr 10.0.1.2 ip protocol udp")


def iptables(kind, count, hit=None):
    """A ruleset for iptables-restore, and for oxtables; the rule before which `hit` others stand lets packets pass."""
    lines = ["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"]
    rule = KINDS[kind][1]
    for number in range(count):
        if number == hit:
            lines.append(f"-A FORWARD {HIT[0]} -j ACCEPT")
        lines.append(f"-A FORWARD {rule(number)} -j DROP")
    return "\n".join(lines + ["COMMIT", ""])


def nft(kind, count, hit=None):
    """The same for nft, rule by rule."""
    lines = ["table ip bench {", "chain forward {", "type filter hook forward priority 0;"]
    rule = KINDS[kind][2]
    for number in range(count):
        if number == hit:
            lines.append(f"{HIT[1]} counter accept")
        lines.append(f"{rule(number)} counter drop")
    return "\n".join(lines + ["}", "}", ""])


def nft_set(kind, count):
    """The same for nft as one rule that looks up a set."""
    type_, ask, rule = SETS[kind]
    elements = ", ".join(rule(number).split()[-1] for number in range(count))
    elements = f"elements = {{ {elements} }};" if count else ""
    return "\n".join(
        [
            "table ip bench {",
            f"set asked {{ type {type_}; {elements} }}",
            "chain forward {",
            "type filter hook forward priority 0;",
            f"{ask} @asked counter drop",
            "}",
            "}",
            "",
        ]
    )


def one_more(firewall, kind, number):
    """The command that adds a rule to those that are there."""
    _, of_iptables, of_nft = KINDS[kind]
    return {
        "iptables-legacy": ["iptables-legacy", "-A", "FORWARD", *of_iptables(number).split(), "-j", "DROP"],
        "oxtables": ["oxtables", "add", "FORWARD", *of_iptables(number).split(), "-j", "DROP"],
        "nft": ["nft", f"add rule ip bench forward {of_nft(number)} counter drop"],
        "nft-set": ["nft", f"add element ip bench asked {{ {of_nft(number).split()[-1]} }}"],
    }[firewall]
