# SPDX-License-Identifier: GPL-2.0
"""-m string"""

from case import *

ALPHABET = b"abAB"


def text(dice, most):
    return bytes(dice.pick(*ALPHABET) for _ in range(1 + dice.below(most)))


def rule(dice):
    pattern = text(dice, dice.pick(3, 3, 12, 40))
    value = dice.pick(
        f'--string "{pattern.decode()}"',
        f'--hex-string "|{pattern.hex()}|"',
        f'--hex-string "{pattern.decode()}|{dice.pick("00", "0d 0a", " FF")}|"',
        f'--hex-string "|{dice.pick("45", "60", "11", "0000")}|"',
        *['--string "' + odd + '"' for odd in (r"it's", r"\"a\" \\b", "|61|", "a b")],
    )
    words = [
        f"{dice.no()}{value}",
        f"--algo {dice.pick('bm', 'kmp')}",
        *dice.sometimes(0.3, lambda: f"--from {dice.near(0, 20, 28, 40, 48, 60, end=65536)}"),
        *dice.sometimes(0.3, lambda: "--icase"),
    ]
    # What iptables and its kernel take, which is no `to` before `from`.
    if not any("--from" in word for word in words):
        words += dice.sometimes(0.4, lambda: f"--to {dice.near(28, 40, 60, 80, 65535, end=65536)}")
    return "-m string " + " ".join(words)


def packet(dice):
    payload = text(dice, 80) + dice.pick(b"", b"\0", b"\r\n", b"\xff")
    return dice.pick(tcp(payload=payload), udp(payload=payload)), {}


def cases(f):
    u = lambda payload: P(udp(payload=payload))
    begin = 28 if f == 4 else 48
    for algo in ("bm", "kmp"):
        m = f"-m string --algo {algo}"
        yield Case(f"{m} {{!}}--string hallo", [u(b"hallo"), u(b"x hal hallo")], [u(b"hall"), u(b"Hallo"), u(b"")])
        yield Case(f"{m} --icase {{!}}--string haLLo", [u(b"xHALlo")], [u(b"ha1lo")])
        yield Case(f'{m} {{!}}--hex-string "a|00 ff|"', [u(b"xa\0\xff")], [u(b"a\0"), u(b"a|00 ff|")])
        yield Case(f'{m} {{!}}--string "{"ab" * 64}"', [u(b"aab" + b"ab" * 64)], [u(b"ab" * 63 + b"a" + b"ab" * 63)])
        # It begins at `from` or later, and ends before `to`, both counted from the network header.
        yield Case(f"{m} --from {begin + 3} {{!}}--string hallo", [u(b"xyzhallo")], [u(b"xyhallo")])
        yield Case(f"{m} --to {begin + 5} {{!}}--string hallo", [u(b"hallo")], [u(b"xhallo")])
        yield Case(f"{m} --from {begin} --to {begin + 4} {{!}}--string hallo", [], [u(b"hallo")])
        yield Case(f"{m} --from 1000 {{!}}--string hallo", [], [u(b"hallo")])
        # The IP header is searched as well.
        version = "|450000|" if f == 4 else "|6000|"
        yield Case(f'{m} --to 3 {{!}}--hex-string "{version}"', [u(b"hallo")], [])
    # Where comparing from the right alone would move too far.
    yield Case("-m string --algo bm {!}--string abcab", [u(b"abcacabcab"), u(b"abcaabcab")], [u(b"abcaabca")])
