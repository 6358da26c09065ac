# SPDX-License-Identifier: GPL-2.0
"""Rules of every match, for the fuzzers."""

import re
import struct

import extensions
import netlink as nl
from dice import Dice
from wire import run

HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
# These have connections tracked, so that fragments come to rules whole: a table of their own has them.
CONNECTIONS = [
    "-m conntrack --ctstate NEW,ESTABLISHED",
    "-m conntrack ! --ctstate INVALID,RELATED --ctproto tcp ! --ctorigsrcport 1:1000",
    "-m conntrack --ctstatus SEEN_REPLY,CONFIRMED --ctexpire 1:100 --ctdir ORIGINAL",
    "-m state --state RELATED,UNTRACKED",
    "-m connmark --mark 0x1/0x1",
    "-m connbytes --connbytes 2:1000 --connbytes-mode packets --connbytes-dir both",
    "-m connlimit --connlimit-upto 3 --connlimit-mask 30",
    "-m connlimit --connlimit-above 1000 --connlimit-mask 0 --connlimit-daddr",
    "-p udp -j CONNMARK --set-xmark 0x3/0xf",
    "-p tcp -j CONNMARK --restore-mark --nfmask 0x2 --ctmask 0x2",
]
RPFILTER = ["-m rpfilter", "-m rpfilter --loose --accept-local", "-m rpfilter --validmark --invert"]


def matches(family, seed, count):
    """The matches, the hooks at which they may be, and as many rules of each. What is not there the fuzzers have in rules
    of their own: what protocols there are, marks, comments and targets."""
    dice = Dice(family, seed)
    for extension in extensions.of(family):
        name = extension.__name__.partition(".")[2]
        yield name, extensions.hooks(extension), [extension.rule(dice) for _ in range(count)]
    # The tests of the other matches have no hook for this one.
    yield "rpfilter", ("PREROUTING",), RPFILTER[:count]


def table(family, seed):
    """A table with a chain for each match. A third of the packets walks each: what one match drops because it can't read
    it the others meet, too."""
    lines = [f"*every hooks={','.join(HOOKS)} place=-5"]
    rules = list(matches(family, seed, 3))
    lines += [f":{name} - [0:0]" for name, _, _ in rules]
    for name, hooks, words in rules:
        lines += [f"-A {hook} -m statistic --mode random --probability 0.33 -j {name}" for hook in hooks]
        lines += [f"-A {name} {some}" for some in words]
    return "\n".join([*lines, "COMMIT", ""])


def tracked():
    """A table with rules about connections at every hook, and one that takes some packets from the tracker's sight."""
    lines = ["*raw", "-A PREROUTING -p 201 -j CT --notrack", "-A OUTPUT -p 202 -j CT --notrack", "COMMIT"]
    lines += [f"*tracked hooks={','.join(HOOKS)} place=-4"]
    lines += [f"-A {hook} {words}" for hook in HOOKS for words in CONNECTIONS]
    return "\n".join([*lines, "COMMIT", ""])


def own(family):
    """The operation that makes a table with all hooks."""
    parts = nl.u8(nl.VERB, nl.REPLACE_TABLE), nl.u8(nl.FAMILY, family), nl.text(nl.TABLE, "own")
    return nl.nest(nl.OP, *parts, nl.u32(nl.HOOKS, 31), nl.attr(nl.PLACE, struct.pack("=i", -5)))


def operations(family, seed, count):
    """Operations that append the rules to a table of that kind: as the kernel tells them after the command has read their
    text. No other rules are left."""
    rules = [f"-A {hooks[0]} {words}\n" for _, hooks, some in matches(family, seed, count) for words in some]
    rules += [f"-A PREROUTING {words}\n" for words in CONNECTIONS]
    ruleset = f"*own hooks={','.join(HOOKS)} place=-5\n{''.join(rules)}COMMIT\n"
    with nl.Socket() as sock:
        sock.clear()
        run("", "oxtables", f"-{family}", "load", "-", given=ruleset)
        told = [data for data in sock.dump()[1] if nl.number_of(dict(nl.parse(data))[nl.VERB]) == nl.APPEND]
        sock.clear()
    assert len(told) == len(rules)
    return [nl.attr(nl.OP | nl.NESTED, data) for data in told]


def unused(family, saved):
    """Matches and targets that the command supports and a saved ruleset lacks. NOTRACK is saved as CT, and the kernel has
    no helper yet to ask for."""
    told = [line.split("\t") for line in run("", "oxtables", "extensions").splitlines()]
    supported = {name for _, name, answer, families, _ in told if answer == "yes" and f"ipv{family}" in families}
    return supported - {"NOTRACK", "helper"} - set(re.findall(r"-[mj] (\S+)", saved))
