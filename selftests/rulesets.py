# SPDX-License-Identifier: GPL-2.0
"""Rulesets and packets at random, made so that they meet: few values for each field, and packets that the extensions
of a ruleset tell apart.

A ruleset is a chain that the packets of one network walk, `c` and its number, and chains that this one leads to. What
is left at its end is accepted, so that its mark can be seen. Some stand in the table filter, others are walked before
routing: in iptables' table raw, in a table of one's own in ours.
"""

import struct
from typing import NamedTuple

import extensions
from dice import PORTS, Dice
from wire import *
from worlds import LOCAL

FLAGS = ["SYN", "ACK", "FIN", "RST", "URG", "PSH"]
# The chains of a ruleset, by what follows its number; each leads to those after it only.
CHAINS = ["", "a", "b"]
EARLY = "PREROUTING"
HOOKS = (EARLY, "INPUT", "FORWARD", "OUTPUT")


class Rule(NamedTuple):
    """A rule: its chain, what it asks for, and what then; `@` is the beginning of the names of the ruleset's chains."""

    chain: str
    words: str
    lead: str

    def text(self, number):
        lead = self.lead.replace("@", f"c{number}")
        return " ".join(word for word in (f"-A c{number}{self.chain}", self.words, lead) if word)


class Ruleset(NamedTuple):
    """Rules, the built-in chains that lead to them, and the extensions that they are about."""

    rules: list
    hooks: tuple
    theme: list


def network(family, number):
    """Where the packets for a ruleset come from."""
    return f"10.7.{number}" if family == 4 else f"fd00:7:{number:x}"


class Table:
    """A table of rulesets as they are added to it."""

    def __init__(self, *lines):
        self.heads, self.jumps, self.tails = list(lines), [], []

    def lines(self):
        return [*self.heads, *self.jumps, *self.tails, "COMMIT"]


def text(family, rulesets):
    """Rulesets in one, each for the packets of its network: those forwarded, those for the firewall, its answers; for
    ours and for theirs."""
    # Where no rule leads from OUTPUT, answers are let out.
    late = Table("*filter", ":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]")
    early = Table(f":{EARLY} ACCEPT [0:0]")
    late.jumps.append(f"-A FORWARD -s {'10.6.0.1' if family == 4 else 'fd00:6::1'} -j ACCEPT")
    for number, (rules, hooks, _) in enumerate(rulesets):
        net = network(family, number) + (".0/24" if family == 4 else "::/48")
        table = late
        if EARLY in hooks:
            table = early
            late.jumps += [f"-A {hook} -s {net} -j ACCEPT" for hook in ("INPUT", "FORWARD")]
        table.heads += [f":c{number}{chain} - [0:0]" for chain in CHAINS]
        table.jumps += [f"-A {hook} {'-d' if hook == 'OUTPUT' else '-s'} {net} -j c{number}" for hook in hooks]
        table.tails += [rule.text(number) for rule in rules] + [f"-A c{number} -j ACCEPT"]
    heads = {"ours": f"*early hooks={EARLY} place=-300", "theirs": "*raw"}
    return {world: "\n".join([*late.lines(), head, *early.lines(), ""]) for world, head in heads.items()}


class Generator(Dice):
    """Rulesets of a family, and packets."""

    def __init__(self, family, seed):
        super().__init__(family, seed)
        self.extensions = extensions.forwarded(family)

    # Rules

    def ports(self):
        low, high = sorted(self.dice.sample(PORTS, 2))
        return self.pick(str(low), str(high), f"{low}:{high}", f":{high}", f"{low}:")

    def address(self, option):
        net = {("-s", 4): "0.0.0", ("-d", 4): "10.9.0", ("-s", 6): "::", ("-d", 6): "fd00:9::"}[option, self.family]
        host = self.dice.randrange(1, 8)
        if self.family == 4:
            mask = (
                self.pick("/0.0.0.255", "/0.0.0.3", "/0.0.0.4")
                if option == "-s"
                else self.pick("", "/30", "/24", "/29", "/255.0.0.3")
            )
            return f"{net}.{host}{mask}"
        mask = (
            self.pick("/::ff", "/::3", "/::4") if option == "-s" else self.pick("", "/126", "/64", "/125", "/ff00::3")
        )
        return f"{net}{host}{mask}"

    def flags(self):
        return self.pick("ALL", ",".join(self.dice.sample(FLAGS, self.dice.randrange(1, 6))))

    def tcp(self):
        return [
            "-p tcp",
            *self.sometimes(0.5, lambda: f"{self.no()}--sport {self.ports()}"),
            *self.sometimes(0.5, lambda: f"{self.no()}--dport {self.ports()}"),
            *self.sometimes(
                0.3, lambda: self.pick(f"{self.no()}--syn", f"{self.no()}--tcp-flags {self.flags()} {self.flags()}")
            ),
            *self.sometimes(0.3, lambda: f"{self.no()}--tcp-option {self.pick(2, 3, 4, 8, 254)}"),
        ]

    def udp(self):
        return [
            "-p udp",
            *self.sometimes(0.6, lambda: f"{self.no()}--sport {self.ports()}"),
            *self.sometimes(0.6, lambda: f"{self.no()}--dport {self.ports()}"),
        ]

    def icmp(self):
        if self.family == 4:
            return [f"-p icmp {self.no()}--icmp-type {self.pick('echo-request', '0', '3', '3/3', '11', 'any', '5/1')}"]
        return [f"-p icmpv6 {self.no()}--icmpv6-type {self.pick('echo-request', '129', '1', '1/4', '2', '3')}"]

    def protocol(self):
        # IPv6 goes without `-p 0`: ip6tables drops at it what has damaged extension headers, ours asks nothing there.
        numbers = (
            ["tcp", "udp", "icmp", "47", "253", "0"]
            if self.family == 4
            else ["tcp", "udp", "icmpv6", "47", "59", "esp", "253"]
        )
        number = self.dice.choice(numbers)
        return [f"{self.no() if number != '0' else ''}-p {number}"]

    def mark(self):
        return f"-m mark {self.no()}--mark {self.pick('0', '0/1', '1/1', '0x5/0x3', '2/2', '0x10/0x30')}"

    def set_mark(self):
        return "MARK --" + self.pick(
            "set-mark 1", "set-mark 0x5/0x3", "set-xmark 0x12/0x1f", "set-mark 0xc0/0xf0", "or-mark 2", "xor-mark 0x11",
            "and-mark 0xfe", "or-mark 0x80000000",
        )  # fmt: skip

    def log(self, name):
        options = ["--log-tcp-sequence", "--log-tcp-options", "--log-ip-options", "--log-uid", "--log-macdecode"]
        some = self.dice.sample(options, self.below(3))
        # Nothing below debug is to reach the console, where each line takes its time.
        return " ".join([f"LOG --log-level debug --log-prefix {name}:", *some])

    def nflog(self, name):
        options = [f"--nflog-group {self.below(4)}", "--nflog-size 40", "--nflog-threshold 3"]
        return " ".join([f"NFLOG --nflog-prefix {name}", *self.dice.sample(options, self.below(3))])

    def nfqueue(self):
        # No program listens: what is not let pass without one is lost.
        queues = self.pick("--queue-num 7", "--queue-balance 0:3", "--queue-balance 4:5 --queue-cpu-fanout")
        return f"NFQUEUE {queues} {self.pick('', '--queue-bypass', '--queue-bypass')}".rstrip()

    def tee(self):
        # The copies are seen behind the firewall.
        gateway = "10.0.2.2" if self.family == 4 else "fd00:2::2"
        return f"TEE --gateway {gateway} {self.pick('', '--oif wan0')}".rstrip()

    def besides(self, name, early):
        """A target that lets the packet go on, and does something besides."""
        kinds = [lambda: self.nflog(name), self.tee, lambda: f"AUDIT --type {self.pick('accept', 'drop', 'reject')}"]
        return self.pick(*kinds, *([lambda: "TRACE"] * early))()

    def reject(self, words):
        answers = ["", "icmp-admin-prohibited" if self.family == 4 else "icmp6-adm-prohibited"]
        if words.startswith("-p tcp"):
            answers.append("tcp-reset")
        answer = self.dice.choice(answers)
        return f"REJECT --reject-with {answer}" if answer else "REJECT"

    def of_extension(self, extension):
        while True:
            rule = extension.rule(self)
            if not hasattr(extension, "apart") or not extension.apart(rule):
                return rule

    def asks(self, theme):
        """What a rule asks for, that of the match first."""
        if theme and self.chance(0.6):
            what = [self.of_extension(self.pick(*theme))]
        else:
            what = self.pick(self.tcp, self.tcp, self.udp, self.icmp, self.protocol, list, list)()
        family_only = self.sometimes(0.1, lambda: f"{self.no()}-f") if self.family == 4 else []
        return " ".join(
            [
                *what,
                *self.sometimes(0.1, lambda: f"{self.no()}-s {self.address('-s')}"),
                *self.sometimes(0.2, lambda: f"{self.no()}-d {self.address('-d')}"),
                *self.sometimes(0.05, lambda: f"{self.no()}-i {self.pick('lan0', 'lan+', 'wan0', 'l')}"),
                *self.sometimes(0.05, lambda: f"{self.no()}-o {self.pick('wan0', 'w+', 'lan+')}"),
                *family_only,
                *self.sometimes(0.2, self.mark),
            ]
        )

    def rule(self, chain, place, last, theme, early):
        words = self.asks(theme)
        later = CHAINS[CHAINS.index(chain) + 1 :]
        if " -j " in f" {words} ":
            # A target with what it needs.
            return Rule(chain, words, "")
        kinds = ["mark"] * 5 + ["log"] * 3 + ["besides"] * 2 + ["chain"] * 3 * bool(later)
        if words:
            kinds += ["", "RETURN", "ACCEPT", "DROP", "NFQUEUE", *["REJECT"] * (not early)]
        kind = "chain" if last and later else self.dice.choice(kinds)
        if kind == "mark":
            lead = self.set_mark()
        elif kind == "log":
            lead = self.log(f"{chain or 'c'}{place}")
        elif kind == "chain":
            return Rule(chain, words, f"{self.pick('-j', '-j', '-j', '-g')} @{self.dice.choice(later)}")
        elif kind == "besides":
            lead = self.besides(f"{chain or 'c'}{place}", early)
        elif kind == "REJECT":
            lead = self.reject(words)
        elif kind == "NFQUEUE":
            lead = self.nfqueue()
        else:
            lead = kind
        return Rule(chain, words, f"-j {lead}" if lead else "")

    def ruleset(self):
        """A ruleset about two extensions."""
        hooks = ()
        while not hooks:
            theme = [self.dice.choice(self.extensions) for _ in range(2 if self.extensions else 0)]
            hooks = tuple(hook for hook in HOOKS if all(hook in extensions.hooks(extension) for extension in theme))
        early = hooks == (EARLY,) or EARLY in hooks and self.chance(0.2)
        hooks = (EARLY,) if early else tuple(hook for hook in hooks if hook != EARLY)
        rules = []
        for chain, least, most in zip(CHAINS, (2, 1, 1), (6, 3, 3)):
            count = self.dice.randint(least, most)
            rules += [self.rule(chain, place, place == count - 1, theme, early) for place in range(count)]
        # A copy that gets a mark in OUTPUT leaves its gateway in ours: it is routed again, as in iptables' mangle.
        if all(any(f"-j {target}" in rule.lead for rule in rules) for target in ("TEE", "MARK")):
            hooks = tuple(hook for hook in hooks if hook != "OUTPUT")
        return Ruleset(rules, hooks, theme)

    # Packets

    def transport(self):
        port = lambda: self.dice.choice(PORTS)
        data = lambda: self.dice.randbytes(self.dice.randrange(0, 40))
        kind = self.pick("tcp", "tcp", "tcp", "udp", "udp", "icmp", "icmp", "ports", "other")
        if kind == "tcp":
            options = self.pick(
                "",
                "020405b4",
                "0101080a0000000100000002",
                "0303070104020000",
                "00020405b4",
                "ff",
                "0200",
                "0201",
                "fe04",
                "01" * 40,
                "0228" + "01" * 38,
                "0204",
            )
            flags = self.pick(SYN, ACK, SYN | ACK, FIN | ACK, RST, 0, 0x3F, 0xC2, self.dice.randrange(256))
            protocol, made = tcp(port(), port(), flags, bytes.fromhex(options), data(), ack=9)
            # A header's length that lies.
            if self.dice.random() < 0.2:
                made = made[:12] + bytes([self.dice.randrange(16) << 4]) + made[13:]
        elif kind == "udp":
            protocol, made = udp(port(), port(), data())
        elif kind == "icmp" and self.family == 4:
            protocol, made = icmp(self.pick(8, 0, 3, 3, 11, 5, 13, 200), self.pick(0, 1, 3), data())
        elif kind == "icmp":
            protocol, made = icmp6(self.pick(128, 129, 1, 1, 2, 3, 4, 200), self.pick(0, 1, 4), data())
        elif kind == "ports":
            protocol, made = udp(port(), port(), data(), self.pick(132, 136, 33))
        else:
            protocol, made = self.pick(47, 50, 59, 253, 51 if self.family == 4 else 59), data()
        if self.dice.random() < 0.3:
            made = made[: self.dice.randrange(len(made) + 1)]
        return protocol, made

    def header(self):
        """An extension header, now and then a damaged one."""
        kind = self.pick(HOP_BY_HOP, DESTINATION, DESTINATION, ROUTING, FRAGMENT, AH)
        if kind == FRAGMENT:
            return kind, b"\0\0" + struct.pack("!HI", self.pick(0, 0, 1, 8, 9, 16, 1480) & ~6, 7)
        if kind == AH:
            made = bytes([0, 4]) + self.dice.randbytes(22)
        elif kind == ROUTING:
            made = bytes([0, 0, 4, 0, 0, 0, 0, 0])
        else:
            made = bytes([0, 0, 1, 4, 0, 0, 0, 0]) if self.dice.random() < 0.7 else bytes([0, 1, 1, 12]) + bytes(12)
        if self.dice.random() < 0.1:
            made = made[:1] + bytes([self.pick(0, 1, 4, 200, 255)]) + made[2:]
        if self.dice.random() < 0.05:
            made = made[: self.dice.randrange(1, len(made))]
        return kind, made

    def headers(self):
        count = self.pick(0, 0, 0, 1, 1, 2, 3, 11, 12, 13, 14)
        # Twelve of one kind that is whole; otherwise some damage would come first.
        if count > 3:
            return [(DESTINATION, bytes([0, 0, 1, 4, 0, 0, 0, 0]))] * count
        return [self.header() for _ in range(count)]

    def packet(self, theme):
        """A function that makes the packet, given its number and where it comes from."""
        host, target = self.below(7) + 1, self.below(7) + 1
        transport, details = self.pick(*theme).packet(self) if theme and self.chance(0.6) else (None, {})
        host = details.pop("host", host)
        transport = transport or self.transport()
        if self.family == 4:
            details = {
                "options": self.pick(b"", b"", b"", b"\1" * 4, b"\1" * 40, b"\x07\x07\x04\0\0\0\0\1"),
                "tos": self.pick(0, 0x10),
                **details,
            }
            if self.chance(0.2):
                details["at"], details["more"] = self.pick(0, 8, 16, 1480, 8191 * 8), self.pick(True, False)
            fragment = details.get("at") or details.get("more")
            build, source, far = ip4, f"%s.{host}", f"10.9.0.{target}"
        else:
            details = {"headers": self.headers(), **details}
            fragment = any(kind == FRAGMENT for kind, _ in details["headers"])
            build, source, far = ip6, f"%s::{host}", f"fd00:9::{target}"
        # The firewall itself would wait for a packet's other fragments.
        to = LOCAL[self.family] if not fragment and self.chance(0.2) else far
        return lambda number, net: build(source % net, to, transport, number, **details)
