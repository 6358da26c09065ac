# SPDX-License-Identifier: GPL-2.0
"""-m owner; packets that are forwarded have no socket, so it is tried in t-metadata.sh."""

HOOKS = ("OUTPUT",)


def numbers(dice):
    low, high = sorted([dice.below(70000), dice.below(70000)])
    return dice.pick("root", "daemon", f"{low}", f"{low:#x}", f"{low}-{high}", f"{low}:{high}", "4294967294")


def rule(dice):
    # iptables wants --suppl-groups behind --gid-owner.
    groups = lambda: f"{dice.no()}--gid-owner {numbers(dice)}{dice.pick('', ' --suppl-groups')}"
    words = [
        *dice.sometimes(0.5, lambda: f"{dice.no()}--uid-owner {numbers(dice)}"),
        *dice.sometimes(0.5, groups),
        *dice.sometimes(0.5, lambda: f"{dice.no()}--socket-exists"),
    ]
    return " ".join(["-m owner", *(words or ["--socket-exists"])])
