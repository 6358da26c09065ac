# SPDX-License-Identifier: GPL-2.0
"""A case: a few rules, the packets that must pass them and those that must not."""

from wire import *


class Case:
    def __init__(self, rule, hits=(), misses=(), never=(), before=(), by="s", only=None, lines=None):
        self.rule, self.hits, self.misses, self.never = rule, list(hits), list(misses), list(never)
        self.before, self.by, self.only, self.lines = before, by, only, lines

    def both(self):
        """The case, and the same with what it asks turned round."""
        if "{!}" not in self.rule:
            return [self]
        plain = Case(self.rule.replace("{!}", ""), self.hits, self.misses, self.never, self.before, self.by)
        turned = Case(self.rule.replace("{!}", "! "), self.misses, self.hits, self.never, self.before, self.by)
        return [plain, turned]


class Packet:
    """What a case sends: a transport, and what is particular about the packet that carries it."""

    def __init__(self, transport, source=None, target=None, **details):
        self.transport, self.source, self.target, self.details = transport, source, target, details

    def __call__(self, family, number, source, target):
        build = ip4 if family == 4 else ip6
        return build(self.source or source, self.target or target, self.transport, number, **self.details)


P = Packet


def ping(kind=None, code=0, family=4, **details):
    return P(
        icmp(8 if kind is None else kind, code) if family == 4 else icmp6(128 if kind is None else kind, code),
        **details,
    )


def padding(length=8):
    """The options of a hop-by-hop or destination header that ask nothing."""
    return bytes([0, length // 8 - 1, 1, length - 4]) + b"\0" * (length - 4)


def fragment_header(at, more):
    return bytes([0, 0]) + struct.pack("!HI", at | more, 77)


def first(family, transport, **details):
    """The first fragment of a packet."""
    if family == 4:
        return P(transport, more=True, **details)
    return P(transport, headers=[(FRAGMENT, fragment_header(0, 1))], **details)


def later(family, protocol, data=b"x" * 40, at=1480, **details):
    """A fragment of a packet other than the first."""
    if family == 4:
        return P((protocol, data), at=at, **details)
    return P((protocol, data), headers=[(FRAGMENT, fragment_header(at, 0))], **details)
