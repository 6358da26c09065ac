# SPDX-License-Identifier: GPL-2.0
"""Cuts a ruleset and packets on which two firewalls differ down to the smallest that still do, or nearly so."""

import re
import struct

from wire import total

WORD = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^\s"])+')


class Tries:
    """Asks whether the two still differ, a bounded number of times; afterwards nothing does, and what was found last
    stays."""

    def __init__(self, differ, most):
        self.differ, self.left = differ, most

    def __call__(self, rules, packets):
        if self.left <= 0:
            return False
        self.left -= 1
        return self.differ(rules, packets)


def fewer(items, differs):
    """What is left of a list when runs of items are left out, long ones first, as long as it differs."""
    size = max(len(items) // 2, 1)
    while size and items:
        at = 0
        while at < len(items):
            rest = items[:at] + items[at + size :]
            if differs(rest):
                items = rest
            else:
                at += size
        size //= 2
    return items


def options(words):
    """The options of a rule, each with what follows it and the `!` before it."""
    groups = []
    for word in WORD.findall(words):
        if groups and (groups[-1] == ["!"] or not (word == "!" or word.startswith("-"))):
            groups[-1].append(word)
        else:
            groups.append([word])
    return [" ".join(group) for group in groups]


def cut(packet, length):
    """A function that makes a packet as the other does, without what is beyond a length."""

    def made(number, net):
        data = packet(number, net)[:length]
        if data[0] >> 4 == 6:
            return data[:4] + struct.pack("!H", len(data) - 40) + data[6:]
        data = data[:2] + struct.pack("!H", len(data)) + data[4:10] + b"\0\0" + data[12:]
        return data[:10] + struct.pack("!H", ~total(data[: (data[0] & 15) * 4]) & 0xFFFF) + data[12:]

    return made


def shortest(packet, net, differs):
    """The packet without the end that does not matter."""
    data = packet(1, net)
    length, least = len(data), 40 if data[0] >> 4 == 6 else (data[0] & 15) * 4
    step = length - least
    while step > 0:
        if length - step >= least and differs(cut(packet, length - step)):
            length -= step
        else:
            step //= 2
    return packet if length == len(data) else cut(packet, length)


def shrink(rules, packets, net, differ, most=120):
    """The smallest rules and packets found for which `differ(rules, packets)` holds, as it does for those given;
    packets are functions of a number and the network `net`."""
    differs = Tries(differ, most)
    packets = fewer(packets, lambda some: bool(some) and differs(rules, some))
    rules = fewer(rules, lambda some: differs(some, packets))
    for place, rule in enumerate(rules):
        others = lambda words: [*rules[:place], rule._replace(words=words), *rules[place + 1 :]]
        words = fewer(options(rule.words), lambda some: differs(others(" ".join(some)), packets))
        rules = others(" ".join(words))
    for place, packet in enumerate(packets):
        others = lambda one: [*packets[:place], one, *packets[place + 1 :]]
        packets = others(shortest(packet, net, lambda one: differs(rules, others(one))))
    return rules, packets
