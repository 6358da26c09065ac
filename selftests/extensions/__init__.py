# SPDX-License-Identifier: GPL-2.0
"""What the tests know of each match and target, a file each; the file's name is the extension's.

    FAMILIES        those it is for; both without it
    HOOKS           the built-in chains that may lead to its rules; PREROUTING and all that filter has without it
    rule(dice)      a rule at random that uses it, its protocol and what else it needs included, without a target
                    (a target's: with `-j`)
    printed(dice)   the same, where rules may be that time or chance decides by: only their text is compared; rule(dice)
                    without it
    packet(dice)    a packet at random that such rules tell from others: a transport (protocol and bytes; None
                    for any), and what the IP header says beside the usual (see ip4 and ip6 in wire.py), the
                    `host` of its network that it comes from included
    apart(rule)     whether to keep a rule from iptables' packets, which it does not judge as ours; none without it
    cases(family)   cases (case.py): what must match and what must not

Packets in the tests are forwarded; what can't be asked of those has no packet() and no cases(), and its rules only
print.

`dice` is dice.py's. OXTABLES_EXTENSIONS narrows the tests of all extensions to those that it names.
"""

import importlib
import os
import pkgutil

WANTED = os.environ.get("OXTABLES_EXTENSIONS", "").split()

ALL = {name: importlib.import_module(f"extensions.{name}") for _, name, _ in pkgutil.iter_modules(__path__)}


def families(name):
    """The families that a group of tests is for."""
    return getattr(ALL.get(name), "FAMILIES", (4, 6))


def hooks(extension):
    """The built-in chains that may lead to rules with an extension."""
    return getattr(extension, "HOOKS", ("PREROUTING", "INPUT", "FORWARD", "OUTPUT"))


def of(family):
    """The extensions of a family."""
    return [ALL[name] for name in WANTED or ALL if family in families(name)]


def forwarded(family):
    """Those that forwarded packets can be asked."""
    return [extension for extension in of(family) if hasattr(extension, "packet")]
