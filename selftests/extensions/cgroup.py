# SPDX-License-Identifier: GPL-2.0
"""-m cgroup; packets that are forwarded have no socket, so it is tried in t-metadata.sh."""

HOOKS = ("OUTPUT",)


def rule(dice):
    return f"-m cgroup {dice.no()}" + dice.pick("--cgroup 0", f"--cgroup {dice.below(1 << 32):#x}", "--path /")
