# SPDX-License-Identifier: GPL-2.0
"""A small client of the module's netlink family, for tests that have to say things the command never would.

It shares no code with the module: attribute numbers are those of module/uapi/oxtables.yaml.
"""

import errno
import os
import socket
import struct

NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP = 1, 2, 4, 0x300
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLMSG_ERROR, NLMSG_DONE = 2, 3
NESTED = 1 << 15
NETLINK_GENERIC, SOL_NETLINK = 16, 270
SO_RCVBUFFORCE = 33
ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 1, 10, 11
CONTROL, GETFAMILY, GETPOLICY = 16, 3, 10

GET_INFO, BEGIN, CHUNK, COMMIT, ABORT, GET_RULES, RULES_CHANGED = range(1, 8)
GET_CONNECTIONS, DELETE_CONNECTIONS, GET_CONNECTION_STATS = range(9, 12)
GET_FLOWS = 12
GET_SETTINGS, SET_SETTINGS = 22, 23
CONNECTION_NEW, CONNECTION_UPDATE, CONNECTION_DESTROY = range(24, 27)
GENERATION, OP, COUNTERS, ZERO, SELECT, VERSION, DROPS, PORT = range(1, 9)
COUNT, CONNECTION = 11, 13
FLOW_TABLE = 16
REPLACE_TABLE, DELETE_TABLE, NEW_CHAIN, DELETE_CHAIN, RENAME_CHAIN, FLUSH, POLICY, APPEND, INSERT, REPLACE, DELETE = (
    range(1, 12)
)
# Attributes of an operation.
VERB, FAMILY, TABLE, CHAIN, NEW_NAME, NUMBER, RULE, POLICY_ATTR, COUNTERS_ATTR, HOOKS, PLACE = range(2, 13)
V4, V6 = 2, 10


class Refused(Exception):
    """The kernel's answer to a request that it does not carry out."""

    def __init__(self, number, text, offset):
        super().__init__(f"{errno.errorcode.get(number, number)}: {text!r} at {offset}")
        self.errno, self.text, self.offset = number, text, offset


def attr(number, data=b""):
    """An attribute."""
    return struct.pack("=HH", len(data) + 4, number) + data + b"\0" * (-len(data) % 4)


def nest(number, *attributes):
    """An attribute that holds others."""
    return attr(number | NESTED, b"".join(attributes))


def u8(number, value):
    return attr(number, struct.pack("=B", value))


def u16(number, value):
    return attr(number, struct.pack("=H", value))


def u32(number, value):
    return attr(number, struct.pack("=I", value))


def u64(number, value):
    return attr(number, struct.pack("=Q", value))


def text(number, value):
    return attr(number, value.encode() + b"\0")


def parse(data):
    """The attributes in these bytes, as pairs of number and data."""
    found, at = [], 0
    while at + 4 <= len(data):
        length, number = struct.unpack_from("=HH", data, at)
        if length < 4 or at + length > len(data):
            raise ValueError(f"attribute of length {length} at {at} of {len(data)}")
        found.append((number & 0x3FFF, data[at + 4 : at + length]))
        at += (length + 3) & ~3
    return found


def number_of(data):
    """The number that an attribute's data is."""
    return int.from_bytes(data, "little")


# What rules consist of.

ACCEPT, DROP, RETURN, CONTINUE = attr(2), attr(3), attr(4), attr(1)


def jump(chain):
    return text(5, chain)


def goto(chain):
    return text(6, chain)


def reject(code=None):
    return nest(7, *([] if code is None else [u8(2, code)]))


def log(prefix="", level=4, flags=0):
    return nest(8, u8(2, level), u8(3, flags), text(4, prefix))


def set_mark(value, mask=0xFFFFFFFF):
    return nest(9, attr(2, struct.pack("=II", value, mask)))


def nflog(group=0, threshold=0, prefix="", size=None, kept=None):
    parts = [u16(2, group), u16(3, threshold), text(4, prefix)]
    parts += [u32(number, value) for number, value in ((5, size), (6, kept)) if value is not None]
    return nest(10, *parts)


def nfqueue(queue=0, total=1, bypass=False, fanout=False):
    flags = [attr(number) for number, there in ((4, bypass), (5, fanout)) if there]
    return nest(11, u16(2, queue), u16(3, total), *flags)


def audit(kind):
    return nest(12, u8(2, kind))


TRACE = attr(13)


def tee(gateway, interface=None):
    packed = socket.inet_pton(socket.AF_INET6 if ":" in gateway else socket.AF_INET, gateway)
    return nest(14, attr(2, packed), *([text(3, interface)] if interface else []))


def inverted(numbers):
    """The mask of negated attributes, if there are any."""
    return [u32(1, sum(1 << number for number in numbers))] if numbers else []


def tcp(sport=None, dport=None, flags=None, option=None, negate=()):
    parts = inverted(negate)
    if sport:
        parts.append(attr(2, struct.pack("=HH", *sport)))
    if dport:
        parts.append(attr(3, struct.pack("=HH", *dport)))
    if flags:
        parts.append(attr(4, bytes(flags)))
    if option is not None:
        parts.append(u8(5, option))
    return nest(1, *parts)


def udp(sport=None, dport=None, negate=()):
    parts = inverted(negate)
    if sport:
        parts.append(attr(2, struct.pack("=HH", *sport)))
    if dport:
        parts.append(attr(3, struct.pack("=HH", *dport)))
    return nest(2, *parts)


def icmp(kind, first=0, last=255, negate=()):
    return nest(3, *inverted(negate), attr(2, bytes([1, kind, first, last])))


def icmpv6(kind, first=0, last=255, negate=()):
    return nest(4, *inverted(negate), attr(2, bytes([1, kind, first, last])))


def multiport(side, *ranges, negate=()):
    return nest(5, *inverted(negate), u8(2, side), attr(3, b"".join(struct.pack("=HH", *pair) for pair in ranges)))


def mark(value, mask=0xFFFFFFFF, negate=()):
    return nest(6, *inverted(negate), attr(2, struct.pack("=II", value, mask)))


def comment(remark):
    return nest(7, text(2, remark))


# A state that `--ctstate` names, as its bit.
NEW = 1 << 3


def conntrack(states):
    return nest(46, u16(2, states))


def prefix(address, length):
    """An address and its mask, as a rule has them."""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    bits = len(packed) * 8
    return packed + ((1 << bits) - (1 << (bits - length))).to_bytes(bits // 8, "big")


def rule(target, *matches, source=None, destination=None, input=None, output=None, protocol=None, fragment=False,
         negate=()):
    """A rule's attribute in an operation."""
    parts = inverted(negate)
    if source:
        parts.append(attr(2, prefix(*source)))
    if destination:
        parts.append(attr(3, prefix(*destination)))
    if input:
        parts.append(text(4, input))
    if output:
        parts.append(text(5, output))
    if protocol is not None:
        parts.append(u8(6, protocol))
    if fragment:
        parts.append(attr(7))
    if matches:
        parts.append(nest(8, *matches))
    parts.append(nest(9, target))
    return nest(RULE, *parts)


def op(verb, family, chain=None, *more, table="filter"):
    """An operation's attribute in a message."""
    where = [] if chain is None else [text(CHAIN, chain)]
    return nest(OP, u8(VERB, verb), u8(FAMILY, family), text(TABLE, table), *where, *more)


def replace_table(family, table="filter"):
    return op(REPLACE_TABLE, family, table=table)


def delete_table(family, table="filter"):
    return op(DELETE_TABLE, family, table=table)


def append(family, chain, *rule_parts, table="filter", **fields):
    return op(APPEND, family, chain, rule(*rule_parts, **fields), table=table)


def new_chain(family, chain, table="filter"):
    return op(NEW_CHAIN, family, chain, table=table)


def policy(family, chain, value):
    return op(POLICY, family, chain, u8(POLICY_ATTR, value))


class Socket:
    """A socket to the family `oxtables`, or to another of generic netlink."""

    def __init__(self, port=0, name="oxtables"):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        for option in (EXT_ACK, CAP_ACK):
            self.sock.setsockopt(SOL_NETLINK, option, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE if os.geteuid() == 0 else socket.SO_RCVBUF, 1 << 22)
        self.sock.settimeout(120)
        self.sock.bind((port, 0))
        self.port = self.sock.getsockname()[0]
        self.sequence = 0
        # The controller shows the groups as pairs of name and number.
        [(_, attributes)] = self.ask(CONTROL, GETFAMILY, text(2, name), version=2)
        found = dict(attributes)
        self.family = number_of(found[1])
        self.groups = {}
        for _, group in parse(found.get(7, b"")):
            inside = dict(parse(group))
            self.groups[inside[1].rstrip(b"\0").decode()] = number_of(inside[2])

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def message(self, family, command, attributes=b"", flags=NLM_F_ACK, version=1):
        """A request as bytes."""
        self.sequence += 1
        header = struct.pack("=IHHII", 20 + len(attributes), family, NLM_F_REQUEST | flags, self.sequence, 0)
        return header + struct.pack("=BBH", command, version, 0) + attributes

    def send(self, data):
        self.sock.send(data)

    def receive(self):
        """The messages of one datagram, as tuples of type, flags, sequence number and payload."""
        data, at, found = self.sock.recv(1 << 20), 0, []
        while at + 16 <= len(data):
            length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, at)
            found.append((kind, flags, sequence, data[at + 16 : at + length]))
            at += (length + 3) & ~3
        return found

    def answers(self):
        """The answers to the last request: pairs of command and attributes, until it is acknowledged."""
        found = []
        while True:
            for kind, flags, sequence, payload in self.receive():
                if sequence != self.sequence:
                    continue
                if kind == NLMSG_ERROR or kind == NLMSG_DONE:
                    check(kind, flags, payload)
                    return found
                found.append((payload[0], parse(payload[4:])))

    def ask(self, family, command, attributes=b"", flags=NLM_F_ACK, version=1):
        self.send(self.message(family, command, attributes, flags, version))
        return self.answers()

    def do(self, command, *attributes):
        return self.ask(self.family, command, b"".join(attributes))

    def info(self):
        """Generation, and drops by the name of their reason."""
        [(_, attributes)] = self.do(GET_INFO)
        drops = [dict(parse(data)) for number, data in attributes if number == DROPS]
        named = {drop[2].rstrip(b"\0").decode(): number_of(drop[3]) for drop in drops}
        return number_of(dict(attributes)[GENERATION]), named

    def generation(self):
        return self.info()[0]

    def begin(self, generation=None):
        self.do(BEGIN, *([] if generation is None else [u64(GENERATION, generation)]))

    def commit(self):
        """Carries the open transaction out; returns the generation that it made."""
        [(_, attributes)] = self.do(COMMIT)
        return number_of(dict(attributes)[GENERATION])

    def change(self, *ops, generation=None, room=60000):
        """A whole transaction, its operations in as many messages as they need."""
        self.begin(generation)
        chunk = []
        for one in ops:
            if chunk and sum(map(len, chunk)) + len(one) > room:
                self.do(CHUNK, *chunk)
                chunk = []
            chunk.append(one)
        if chunk:
            self.do(CHUNK, *chunk)
        return self.commit()

    def dump(self, *attributes):
        """The generations that the messages of a dump bear, and its operations as bytes."""
        generations, ops = set(), []
        for _, found in self.ask(self.family, GET_RULES, b"".join(attributes), NLM_F_DUMP):
            generations.add(number_of(dict(found)[GENERATION]))
            ops += [data for number, data in found if number == OP]
        return generations, ops

    def rules(self):
        """The rules in force as bytes, to be compared."""
        generations, ops = self.dump()
        return sorted(generations), ops

    def counts(self, family, chain, *attributes):
        """The packets that the policy and the rules of a chain counted, in their order."""
        found = []
        for data in self.dump(*(attributes or [attr(COUNTERS)]))[1]:
            parts = dict(parse(data))
            if number_of(parts[FAMILY]) != family or parts.get(CHAIN, b"") != chain.encode() + b"\0":
                continue
            if number_of(parts[VERB]) in (POLICY, APPEND):
                counters = dict(parse(parts.get(COUNTERS_ATTR, b"")))
                found.append(number_of(counters.get(2, b"")))
        return found

    def clear(self):
        """Deletes every table."""
        tables = []
        for data in self.dump()[1]:
            parts = dict(parse(data))
            if number_of(parts[VERB]) == REPLACE_TABLE:
                tables.append(nest(OP, u8(VERB, DELETE_TABLE), attr(FAMILY, parts[FAMILY]), attr(TABLE, parts[TABLE])))
        if tables:
            self.change(*tables)

    def listen(self, group="rules"):
        self.sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.groups[group])


def check(kind, flags, payload):
    """Raises the error that an answer carries, if it carries one."""
    number = -struct.unpack_from("=i", payload)[0] if len(payload) >= 4 else 0
    if number == 0:
        return
    told = {}
    if flags & NLM_F_ACK_TLVS:
        # An error repeats the request's header (NETLINK_CAP_ACK); a dump's end has nothing before its attributes.
        told = dict(parse(payload[20 if kind == NLMSG_ERROR else 4 :]))
    offset = number_of(told[2]) if 2 in told else None
    raise Refused(number, told.get(1, b"").rstrip(b"\0").decode(), offset)


def enter(namespace):
    """Moves this process into a named network namespace."""
    import ctypes

    with open(f"/run/netns/{namespace}") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def new_namespace():
    """Moves this process into a network namespace of its own."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def sockets_in(namespace, *ports):
    """Datagram sockets in a namespace that take what comes to these ports, over both families."""
    import ctypes

    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    enter(namespace)
    socks = []
    for port in ports:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.bind(("::", port))
        sock.setblocking(False)
        socks.append(sock)
    ctypes.CDLL(None).setns(here, 0x40000000)
    os.close(here)
    return socks


class Child:
    """A process that does something beside this one, in a namespace, until it is told to end.

    `work(going)` does it: `going()` tells whether to go on; what it returns (a number) is what `end` returns.
    """

    def __init__(self, work, namespace=None):
        reads_stop, self.stop = os.pipe()
        self.result, writes_result = os.pipe()
        started, writes_started = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(reads_stop)
            os.close(writes_result)
            os.close(writes_started)
            # It has begun when it says so, or has ended.
            os.read(started, 1)
            os.close(started)
            return
        status = 1
        try:
            os.close(self.stop)
            os.set_blocking(reads_stop, False)
            if namespace:
                enter(namespace)

            def going():
                try:
                    os.read(reads_stop, 1)
                    return False
                except BlockingIOError:
                    return True

            os.write(writes_started, b"x")
            os.write(writes_result, str(work(going)).encode())
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)

    def end(self):
        """Tells it to end, and waits; what it found."""
        # Not by closing the pipe, which later children have, too.
        os.write(self.stop, b"x")
        return self.wait()

    def wait(self):
        data = b""
        while piece := os.read(self.result, 4096):
            data += piece
        os.close(self.result)
        os.close(self.stop)
        _, status = os.waitpid(self.pid, 0)
        assert status == 0, f"a child ended with status {status}"
        return int(data) if data not in (b"", b"None") else None


def run(tests):
    """Runs the test that the command line names."""
    import sys

    tests[sys.argv[1]](*sys.argv[2:])
