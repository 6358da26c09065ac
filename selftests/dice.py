# SPDX-License-Identifier: GPL-2.0
"""Chance that comes out the same for the same seed, and the few values that random rules and packets share, so
that they meet."""

import random

PORTS = [0, 22, 53, 80, 443, 1023, 1024, 65535]


class Dice:
    def __init__(self, family, seed):
        self.family, self.dice = family, random.Random(f"{seed} {family}")

    def pick(self, *choices):
        return self.dice.choice(choices)

    def below(self, end):
        return self.dice.randrange(end)

    def chance(self, probability):
        return self.dice.random() < probability

    def sometimes(self, probability, text):
        """A list with the text that the function makes, or an empty one."""
        return [text()] if self.chance(probability) else []

    def no(self):
        return self.pick("", "", "! ")

    def near(self, *values, end):
        """A number from 0 to below `end`: one of the values, one beside it, or any."""
        value = self.pick(*values) + self.pick(-1, 0, 0, 0, 1) if self.chance(0.9) else self.below(end)
        return min(max(value, 0), end - 1)

    def range(self, *values, end, separator=":"):
        """A range as iptables takes it: one number, or two, or one end left out."""
        low, high = sorted([self.near(*values, end=end), self.near(*values, end=end)])
        return self.pick(str(low), f"{low}{separator}{high}", f"{low}{separator}{high}", f"{separator}{high}")

    def port(self):
        return self.pick(*PORTS)

    def bytes(self, most):
        return self.dice.randbytes(self.below(most))
