# SPDX-License-Identifier: GPL-2.0
"""-m tos"""

from case import *

VALUES = [0, 2, 8, 16, 0xB8, 255]
NAMES = ["Minimize-Delay", "maximize-throughput", "Maximize-Reliability", "Minimize-Cost", "Normal-Service"]


def rule(dice):
    value = dice.pick(*VALUES)
    asked = dice.pick(value, f"{value:#x}", f"{value & 0xF0}/0xf0", f"{value}/{dice.pick(0, 0x10, 255)}", *NAMES)
    return f"-m tos {dice.no()}--tos {asked}"


def packet(dice):
    return None, {"tos": dice.pick(*VALUES, dice.below(256))}


def cases(_):
    t = lambda tos: P(udp(), tos=tos)
    yield Case("-m tos {!}--tos 0xb8", [t(0xB8)], [t(0xB9), t(0xA8), t(0x8B), t(0)])
    yield Case("-m tos {!}--tos 0x80/0xc0", [t(0x80), t(0xBF)], [t(0x40), t(0xC0), t(0)])
    yield Case("-m tos {!}--tos Minimize-Delay", [t(0x10), t(0xD0)], [t(0x11), t(0x20)])
    yield Case("-m tos {!}--tos 0/0", [t(0), t(0xFF)])
