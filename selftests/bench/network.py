# SPDX-License-Identifier: GPL-2.0
"""The network that packets are forwarded in while they are measured, one for each firewall."""

import json
import os
import re
import subprocess
import sys

CPUS = os.cpu_count()

def run(*command, text=None, check=True):
    """Runs a command; its output comes back."""
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    if check and done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout


def inside(namespace, *command, **options):
    return run("ip", "netns", "exec", namespace, *command, **options)


class Network:
    """The network of one firewall."""

    def __init__(self, name):
        self.client, self.router, self.server = (f"{role}-{name}" for role in "cfs")
        for namespace in (self.client, self.router, self.server):
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        self.wire(self.client, "c0", "lan0", "10.0.1")
        self.wire(self.server, "s0", "wan0", "10.0.2")
        inside(self.router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1")
        # A neighbour that has to be asked for would hold up the first packets.
        address = self.address(self.server, "s0")
        run("ip", "-n", self.router, "neighbour", "replace", "10.0.2.2", "lladdr", address, "dev", "wan0",
            "nud", "permanent")
        # The server's stack would answer each packet with an ICMP error.
        run("ip", "-n", self.server, "route", "add", "blackhole", "10.0.1.0/24")
        inside(self.server, "sysctl", "-q", "-w", "net.ipv4.conf.all.forwarding=0")
        self.target = self.address(self.router, "lan0")

    def wire(self, namespace, there, here, net):
        queues = ["numtxqueues", str(CPUS), "numrxqueues", str(CPUS)]
        run("ip", "link", "add", there, "netns", namespace, *queues, "type", "veth", "peer", "name", here, "netns",
            self.router, *queues)
        run("ip", "-n", self.router, "address", "add", f"{net}.1/24", "dev", here)
        run("ip", "-n", namespace, "address", "add", f"{net}.2/24", "dev", there)
        run("ip", "-n", self.router, "link", "set", here, "up")
        run("ip", "-n", namespace, "link", "set", there, "up")

    @staticmethod
    def address(namespace, interface):
        return json.loads(run("ip", "-n", namespace, "-j", "link", "show", interface))[0]["address"]

    def forwarded(self):
        links = json.loads(run("ip", "-n", self.router, "-j", "-s", "link", "show", "wan0"))
        return links[0]["stats64"]["tx"]["packets"]

    def send(self, packets, cpus=1):
        """Sends packets from so many CPUs, so many from each; how long that took comes back, in nanoseconds."""
        script = [(f"kpktgend_{cpu}", "rem_device_all") for cpu in range(CPUS)]
        for cpu in range(cpus):
            script.append((f"kpktgend_{cpu}", f"add_device c0@{cpu}"))
            for word in (f"count {packets}", "pkt_size 60", "delay 0", "clone_skb 0", "dst 10.0.2.2",
                         "src_min 10.0.1.2", "src_max 10.0.1.2", "udp_dst_min 9", "udp_dst_max 9",
                         f"queue_map_min {cpu}", f"queue_map_max {cpu}", f"dst_mac {self.target}"):
                script.append((f"c0@{cpu}", word))
        script.append(("pgctrl", "start"))
        shell = "".join(f"echo '{word}' > /proc/net/pktgen/{file}\n" for file, word in script)
        before = self.forwarded()
        inside(self.client, "sh", "-e", "-c", shell)
        results = [inside(self.client, "cat", f"/proc/net/pktgen/c0@{cpu}") for cpu in range(cpus)]
        through = self.forwarded() - before
        if through < packets * cpus:
            sys.exit(f"only {through} of {packets * cpus} packets were forwarded in {self.router}")
        return max(int(re.search(r"Result: OK: (\d+)", result).group(1)) for result in results) * 1000
