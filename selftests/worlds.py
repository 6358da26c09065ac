# SPDX-License-Identifier: GPL-2.0
"""Two firewalls side by side, oxtables' and iptables-legacy's, and one that shows both the same packets.

                       ┌─ a0 ─── lan0  netns ours    wan0 ─── a1 ─┐
        netns tester ──┤                                          ├── netns tester
                       └─ b0 ─── lan0  netns theirs  wan0 ─── b1 ─┘

What can be seen of a packet's way: whether it passes and as what, the answers, the lines in the kernel's log and,
afterwards, the counters. A mark is seen as well: behind the firewall each of its low bits turns a bit of the TOS or
traffic class over. That is done by iptables' mangle table in both, as oxtables' own part ends with the filter table.
"""

from wire import *

WORLDS = {"ours": "a", "theirs": "b"}
LEGACY = {4: "iptables-legacy", 6: "ip6tables-legacy"}
SENTINEL = 0xFFFF
# The firewall's own address on the side that packets come from.
LOCAL = {4: "10.0.1.1", 6: "fd00:1::1"}
MARK_BITS = 8

SETTINGS = {
    "ipv4/ip_forward": 1,
    "ipv6/conf/all/forwarding": 1,
    "ipv6/conf/all/accept_dad": 0,
    "ipv6/conf/default/accept_dad": 0,
    # Every packet gets its answer.
    "ipv4/icmp_ratelimit": 0,
    "ipv4/icmp_msgs_per_sec": 100000,
    "ipv4/icmp_msgs_burst": 10000,
    "ipv6/icmp/ratelimit": 0,
    # iptables tells in the log what a traced packet meets, ours does not.
    "netfilter/nf_log/2": "NONE",
    "netfilter/nf_log/10": "NONE",
}
# How many networks packets come from, at most; see network() of rulesets.py. In each there is a host that lies on the
# other side, and one to which no way leads.
NETWORKS, ELSEWHERE, NOWHERE = 25, 9, 10


def setting(name, value):
    try:
        with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError:
        pass


def set_up():
    tear_down()
    # Once loaded, what logs would choose itself for traces too.
    run("", "modprobe", "nf_log_syslog")
    setting("netfilter/nf_log_all_netns", 1)
    # The same hardware addresses in both, since a line in the log holds them.
    near, far = "02:00:00:00:00:01", "02:00:00:00:00:02"
    batch = []
    for world, letter in WORLDS.items():
        run("", "ip", "netns", "add", world)
        batch += [
            f"link add {letter}0 address {near} netns tester type veth peer name lan0 address {far} netns {world}",
            f"link add wan0 address {far} netns {world} type veth peer name {letter}1 address {near} netns tester",
        ]
    run("", "ip", "netns", "add", "tester")
    run("", "ip", "-batch", "-", given="\n".join(batch) + "\n")
    with inside("tester"):
        setting("ipv6/conf/all/disable_ipv6", 1)
        setting("ipv6/conf/default/disable_ipv6", 1)
    run("tester", "ip", "-batch", "-", given="".join(f"link set {letter}{n} up\n" for letter in "ab" for n in (0, 1)))
    for world in WORLDS:
        with inside(world):
            for name, value in SETTINGS.items():
                setting(name, value)
        lines = []
        for side, interface in enumerate(("lan0", "wan0"), 1):
            lines += [
                f"address add 10.0.{side}.1/24 dev {interface}",
                f"address add fd00:{side}::1/64 dev {interface} nodad",
                f"link set {interface} up",
                f"neighbour replace 10.0.{side}.2 lladdr {near} dev {interface} nud permanent",
                f"neighbour replace fd00:{side}::2 lladdr {near} dev {interface} nud permanent",
            ]
        lines += [
            "route add 10.6.0.0/15 via 10.0.1.2",
            "route add fd00:6::/31 via fd00:1::2",
            "route add 10.9.0.0/16 via 10.0.2.2",
            "route add fd00:9::/32 via fd00:2::2",
        ]
        for number in range(NETWORKS):
            lines += [
                f"route add 10.7.{number}.{ELSEWHERE} via 10.0.2.2",
                f"route add unreachable 10.7.{number}.{NOWHERE}",
                f"route add fd00:7:{number:x}::{ELSEWHERE:x} via fd00:2::2",
                f"route add unreachable fd00:7:{number:x}::{NOWHERE:x}",
            ]
        run(world, "ip", "-batch", "-", given="\n".join(lines) + "\n")
        # A checksum left to the card would not be there to compare.
        run(world, "ethtool", "-K", "lan0", "tx", "off")
        bits = [f"0x{1 << bit:x}" for bit in range(MARK_BITS)]
        shown = "".join(f"-A POSTROUTING -m mark --mark {bit}/{bit} -j TOS --xor-tos {bit}\n" for bit in bits)
        for family in (4, 6):
            run(world, f"{LEGACY[family]}-restore", given=f"*mangle\n{shown}COMMIT\n")


def tear_down():
    for name in (*WORLDS, "tester"):
        if os.path.exists(f"/run/netns/{name}"):
            run("", "ip", "netns", "del", name)


def load(family, text):
    """Puts a ruleset in force in both, in each as it says it; returns what those say that do not take it."""
    commands = {"ours": ["oxtables", f"-{family}", "load", "-"], "theirs": [f"{LEGACY[family]}-restore"]}
    # What a rule remembers goes on in ours where it is loaded again, so both begin with nothing.
    for world, table in (("ours", "*early hooks=PREROUTING place=-300"), ("theirs", "*raw")):
        run(world, *commands[world], given=f"*filter\nCOMMIT\n{table}\nCOMMIT\n")
    said = [run(world, *command, given=text[world], may_fail=True) for world, command in commands.items()]
    return [text for status, text in said if status]


def counted(family):
    """What each has counted since the ruleset was loaded: see counters()."""
    save = {"ours": ["oxtables", f"-{family}", "save", "-c"], "theirs": [f"{LEGACY[family]}-save", "-c"]}
    tables = {"ours": ("filter", "early"), "theirs": ("filter", "raw")}
    return {
        world: counters("".join(run(world, *command, "-t", table) for table in tables[world]))
        for world, command in save.items()
    }


class KernelLog:
    """The lines that netfilter writes into the kernel's log."""

    def __init__(self):
        self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.file, 0, os.SEEK_END)

    def lines(self):
        """Those that came since they were asked for last, each with its level; but for what is chance in them."""
        lines = []
        while True:
            try:
                level, text = os.read(self.file, 8192).decode(errors="replace").split(";", 1)
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                sys.exit("the kernel's log holds fewer lines than one ruleset makes")
            text = text.split("\n", 1)[0]
            if "IN= OUT=" in text:
                # The machine's own packets: see essence().
                text = re.sub(r" (ID|FLOWLBL)=\d+", "", text)
            if " OUT=" in text:
                lines.append(f"<{level.split(',')[0]}>{text}")


class Seen:
    """What a firewall did with the packets that it was shown."""

    def __init__(self, passed, answers, lines):
        self.passed, self.answers, self.lines = passed, answers, lines


class Tester:
    """Shows packets of a family to both firewalls. It hears all that comes by its wires from its making on, so that
    packets of the other family must not come meanwhile."""

    def __init__(self, family):
        self.sources = {world: Wire("tester", f"{letter}0", b"\2\0\0\0\0\2") for world, letter in WORLDS.items()}
        self.targets = {world: Wire("tester", f"{letter}1") for world, letter in WORLDS.items()}
        self.log = KernelLog()
        self.last = (
            ip4("10.6.0.1", "10.9.0.1", udp(), SENTINEL)
            if family == 4
            else ip6("fd00:6::1", "fd00:9::1", udp(), SENTINEL)
        )

    def show(self, packets, network):
        """Shows them packets, by number, that come from one network; what each did."""
        seen = {}
        for world in WORLDS:
            source, target = self.sources[world], self.targets[world]
            self.log.lines()
            for data in packets.values():
                source.send(data)
            source.send(self.last)
            # The machines say things of their own too.
            passed = target.until(SENTINEL)
            passed = sorted(data for data in passed if number_of(data) in packets and network == networks_of(data)[0])
            answers = []
            while (answer := source.receive(0)) is not None:
                if network == networks_of(answer)[1]:
                    answers.append(essence(answer))
            seen[world] = Seen(passed, sorted(answers), self.log.lines())
        return seen


def networks_of(packet):
    """Where a packet comes from and where it goes, as network() of rulesets.py says it."""
    if packet[0] >> 4 == 4:
        return [".".join(map(str, packet[at : at + 3])) for at in (12, 16)]
    return [":".join(f"{word:x}" for word in struct.unpack_from("!3H", packet, at)) for at in (8, 24)]


def essence(packet):
    """An answer without what is chance in it: identification and flow label, the checksum over that, and the time of
    day in the answer to an ICMP message that asks for it."""
    if packet[0] >> 4 != 4:
        return struct.pack("!I", struct.unpack_from("!I", packet)[0] & 0xFFF00000) + packet[4:]
    packet = packet[:4] + packet[6:10] + packet[12:]
    length = (packet[0] & 15) * 4 - 4
    is_time = packet[7] == ICMP and packet[length : length + 1] == b"\x0e"
    return packet[: length + 2] if is_time else packet
