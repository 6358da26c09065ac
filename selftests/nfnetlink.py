# SPDX-License-Identifier: GPL-2.0
"""Programs that the kernel hands packets to, over raw netlink: what NFLOG logs, what NFQUEUE asks about, and the
records of AUDIT. Messages and attributes are those of include/uapi/linux/netfilter/nfnetlink_{log,queue}.h and
include/uapi/linux/audit.h."""

import os
import select
import socket
import struct
import time

from netlink import NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, attr, parse
from wire import PATIENCE, inside

NETLINK_NETFILTER, NETLINK_AUDIT = 12, 9
LOG, QUEUE = 4 << 8, 3 << 8
PACKET, LOG_CONFIG = LOG, LOG | 1
QUEUED, VERDICT, QUEUE_CONFIG = QUEUE, QUEUE | 1, QUEUE | 2
BIND, COPY_PACKET = 1, 2
DROP, ACCEPT, REPEAT = 0, 1, 4
AUDIT_SET, AUDIT_NETFILTER_PKT = 1001, 1324


def message(kind, payload, flags=NLM_F_REQUEST | NLM_F_ACK):
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload


def messages(data):
    """The messages of a datagram, as pairs of type and payload."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        yield kind, data[at + 16 : at + length]
        at += (length + 3) & ~3


class Socket:
    """A netlink socket in a namespace."""

    def __init__(self, name, protocol, groups=0):
        with inside(name):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.sock.bind((0, groups))
        self.sock.setblocking(False)

    def receive(self, patience=PATIENCE):
        """The messages of the next datagram; none in vain."""
        if not select.select([self.sock], [], [], patience)[0]:
            return []
        return list(messages(self.sock.recv(1 << 17)))

    def ask(self, kind, payload):
        """Sends a request that must be carried out."""
        self.sock.send(message(kind, payload))
        for number, answer in self.receive():
            if number == NLMSG_ERROR:
                error = struct.unpack_from("=i", answer)[0]
                if error:
                    raise OSError(-error, os.strerror(-error))


def config(number, *attributes):
    """A request about a group or a queue."""
    return struct.pack("!BBH", 0, 0, number) + b"".join(attributes)


class Log(Socket):
    """Listens to a group of NFLOG's."""

    def __init__(self, name, group, threshold=None, timeout=None):
        super().__init__(name, NETLINK_NETFILTER)
        self.ask(LOG_CONFIG, config(group, attr(1, bytes([BIND]))))
        self.ask(LOG_CONFIG, config(group, attr(2, struct.pack("!IBB", 0xFFFF, COPY_PACKET, 0))))
        if threshold is not None:
            self.ask(LOG_CONFIG, config(group, attr(5, struct.pack("!I", threshold))))
        if timeout is not None:
            self.ask(LOG_CONFIG, config(group, attr(4, struct.pack("!I", timeout))))

    def packets(self, patience=PATIENCE):
        """The packets of the next datagram: for each its attributes."""
        return [dict(parse(payload[4:])) for kind, payload in self.receive(patience) if kind == PACKET]


class Queue(Socket):
    """Decides about the packets of a queue."""

    def __init__(self, name, number):
        super().__init__(name, NETLINK_NETFILTER)
        self.number = number
        self.ask(QUEUE_CONFIG, config(number, attr(1, struct.pack("!BBH", BIND, 0, 0))))
        self.ask(QUEUE_CONFIG, config(number, attr(2, struct.pack("!IB", 0xFFFF, COPY_PACKET))))

    def packets(self, patience=PATIENCE):
        """The packets of the next datagram: for each its number in the queue and its bytes."""
        found = [dict(parse(payload[4:])) for kind, payload in self.receive(patience) if kind == QUEUED]
        return [(struct.unpack_from("!I", packet[1])[0], packet.get(10, b"")) for packet in found]

    def decide(self, packet, verdict, mark=None, payload=None):
        parts = [attr(2, struct.pack("!II", verdict, packet))]
        if mark is not None:
            parts.append(attr(3, struct.pack("!I", mark)))
        if payload is not None:
            parts.append(attr(10, payload))
        self.sock.send(message(VERDICT, config(self.number, *parts), NLM_F_REQUEST))


class Audit(Socket):
    """Reads the records that the audit subsystem tells all who listen; turns it on."""

    def __init__(self):
        super().__init__("", NETLINK_AUDIT, groups=1)
        # struct audit_status: the mask says that `enabled` counts.
        Socket("", NETLINK_AUDIT).ask(AUDIT_SET, struct.pack("=II", 1, 1) + bytes(9 * 4))

    def records(self, count):
        """So many records of packets, or those that come until patience ends; the time and number of each left out."""
        found, until = [], time.monotonic() + PATIENCE
        while len(found) < count and time.monotonic() < until:
            for kind, payload in self.receive(0.2):
                if kind == AUDIT_NETFILTER_PKT:
                    found.append(payload.rstrip(b"\0").decode().split("): ", 1)[1])
        return found
