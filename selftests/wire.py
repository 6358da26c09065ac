# SPDX-License-Identifier: GPL-2.0
"""Packets made by hand, sent on one side of the firewall and looked for on the other, from a single process.

Starting a program takes a quarter of a second on the debug kernel, so the tests that need many packets send all
of them from one, which visits the namespaces itself. Every packet carries a number where forwarding leaves it
alone, in the identification of IPv4 and in the flow label of IPv6, so that whatever becomes of its other bytes
it is known again. A packet that nothing stops is sent last: once it arrives, those before it arrived or never will.
"""

import ctypes
import fcntl
import ipaddress
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
PACKET_OUTGOING = 4
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
HOP_BY_HOP, ROUTING, FRAGMENT, AH, NO_NEXT, DESTINATION = 0, 43, 44, 51, 59, 60
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
PATIENCE = 30 if os.environ.get("OXTABLES_KERNEL") == "debug" else 10

libc = ctypes.CDLL(None, use_errno=True)


# Namespaces


class inside:
    """`with inside("fw"):` sockets and programs begin their life in that namespace; in this one without a name."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.before = os.open("/proc/self/ns/net", os.O_RDONLY)
        if not self.name:
            return
        there = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        self.go(there)
        os.close(there)

    def __exit__(self, *_):
        self.go(self.before)
        os.close(self.before)

    @staticmethod
    def go(descriptor):
        if libc.setns(descriptor, 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")


def run(name, *command, given=None, may_fail=False):
    """Runs a program in a namespace and returns what it printed, or the error that it printed if it may fail."""
    with inside(name):
        done = subprocess.run(command, input=given, text=True, capture_output=True, check=False)
    if may_fail:
        return done.returncode, done.stdout + done.stderr
    if done.returncode:
        sys.exit(f"in {name}: {' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def address_of(name, interface):
    """The MAC address of an interface."""
    with inside(name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock, 0x8927, struct.pack("256s", interface.encode()))
    return answer[18:24]


# Packets


def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value


CHECKSUM_AT = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}


def checksummed(protocol, data, source, target):
    """A transport header and payload with its checksum filled in, if it is long enough to have one."""
    at = CHECKSUM_AT.get(protocol)
    if at is None or len(data) < at + 2:
        return data
    pseudo = b"" if protocol == ICMP else source + target + struct.pack("!II", len(data), protocol)
    value = ~total(pseudo + data) & 0xFFFF or 0xFFFF
    return data[:at] + struct.pack("!H", value) + data[at + 2 :]


def tcp(sport=1025, dport=80, flags=SYN, options=b"", payload=b"", seq=1000, ack=2000):
    options += b"\0" * (-len(options) % 4)
    return (
        TCP,
        struct.pack(
            "!HHIIBBHHH", sport, dport, seq, ack if flags & ACK else 0, (20 + len(options)) << 2, flags, 1024, 0, 0
        )
        + options
        + payload,
    )


def udp(sport=1025, dport=53, payload=b"payload!", protocol=UDP):
    return protocol, struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def icmp(kind, code=0, body=b"\0\1\0\1pingpong"):
    return ICMP, struct.pack("!BBH", kind, code, 0) + body


def icmp6(kind, code=0, body=b"\0\1\0\1pingpong"):
    return ICMPV6, struct.pack("!BBH", kind, code, 0) + body


def packed(address):
    return ipaddress.ip_address(address).packed


def ip4(source, target, transport, number=0, at=0, more=False, ttl=64, tos=0, options=b""):
    """An IPv4 packet; with `at` (in bytes) or `more` it is a fragment, whose transport's checksum stays as it is."""
    protocol, data = transport
    source, target = packed(source), packed(target)
    if not at and not more:
        data = checksummed(protocol, data, source, target)
    header = (
        struct.pack(
            "!BBHHHBBH4s4s",
            0x45 + len(options) // 4,
            tos,
            20 + len(options) + len(data),
            number,
            at // 8 | (0x2000 if more else 0),
            ttl,
            protocol,
            0,
            source,
            target,
        )
        + options
    )
    header = header[:10] + struct.pack("!H", ~total(header) & 0xFFFF) + header[12:]
    return header + data


def ip6(source, target, transport, number=0, headers=(), hops=64, tos=0):
    """An IPv6 packet; `headers` are pairs of number and bytes, whose first byte is filled in with what follows."""
    protocol, data = transport
    source, target = packed(source), packed(target)
    fragments = [struct.unpack_from("!H", data, 2)[0] for kind, data in headers if kind == FRAGMENT]
    if not any(fragments):
        data = checksummed(protocol, data, source, target)
    for kind, header in reversed(headers):
        data = bytes([protocol]) + header[1:] + data
        protocol = kind
    return struct.pack("!IHBB16s16s", 6 << 28 | tos << 20 | number, len(data), protocol, hops, source, target) + data


def number_of(packet):
    """The number that the packet was sent with."""
    if packet[0] >> 4 == 4:
        return struct.unpack_from("!H", packet, 4)[0]
    return struct.unpack_from("!I", packet)[0] & 0xFFFFF


# Wires


class Wire:
    """An interface that packets are put on and taken from."""

    def __init__(self, name, interface, neighbour=b"\xff" * 6):
        with inside(name):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        # SO_RCVBUFFORCE: packets wait here while others are sent.
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)
        self.sock.bind((interface, ETH_P_ALL))
        self.sock.setblocking(False)
        self.interface, self.neighbour = interface, neighbour

    def send(self, packet):
        kind = ETH_P_IP if packet[0] >> 4 == 4 else ETH_P_IPV6
        self.sock.sendto(packet, (self.interface, kind, 0, 0, self.neighbour))

    def receive(self, until):
        """The next packet that came in, as IP sees it; None when there is none until then."""
        while True:
            try:
                packet, (_, kind, direction, *_) = self.sock.recvfrom(65535)
            except BlockingIOError:
                left = until - time.monotonic()
                if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                    return None
                continue
            if direction != PACKET_OUTGOING and kind in (ETH_P_IP, ETH_P_IPV6):
                return packet

    def until(self, last, found=lambda packet: packet):
        """What came in before the packet numbered `last`."""
        came, until = [], time.monotonic() + PATIENCE
        while True:
            packet = self.receive(until)
            if packet is None:
                sys.exit(f"packet {last} never came through {self.interface}: the wire is broken")
            if number_of(packet) == last:
                return came
            came.append(found(packet))


def stay_on_one_processor():
    """Packets from one processor stay in their order."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


# What the firewall counted

LINE = re.compile(r"^\[(\d+):(\d+)\] -A (\S+) ?(.*)$")
CHAIN = re.compile(r"^:(\S+) (\S+) \[(\d+):(\d+)\]$")


def counters(saved):
    """Packets and bytes of a saved table: of each chain's rules, in order, and of each policy."""
    rules, policies = {}, {}
    for line in saved.splitlines():
        if match := LINE.match(line):
            rules.setdefault(match[3], []).append((int(match[1]), int(match[2])))
        elif match := CHAIN.match(line):
            policies[match[1]] = (int(match[3]), int(match[4]))
    return rules, policies
