# SPDX-License-Identifier: GPL-2.0
"""-m time

Cases are about the present: what they ask for begins or ends hours from now, or is another day than today, or today
and its neighbours, so that they hold at midnight too. The edges of the calendar are the engine's tests.
"""

import time

from case import *

DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
HOUR, DAY = 3600, 86400


def clock(second):
    return time.strftime("%H:%M:%S", time.gmtime(second))


def date(second):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def rule(dice):
    daytime = lambda: f"{dice.below(24):02}:{dice.below(60):02}" + dice.pick("", f":{dice.below(60):02}")
    when = lambda: dice.pick(
        str(1970 + dice.below(69)),
        f"{1970 + dice.below(69)}-{1 + dice.below(12)}-{1 + dice.below(28)}",
        f"{2020 + dice.below(18)}-{1 + dice.below(12):02}-{1 + dice.below(28):02}T{daytime()}",
    )
    some = lambda *days: ",".join(str(dice.pick(*days)) for _ in range(1 + dice.below(5)))
    start, stop = sorted([daytime(), daytime()], reverse=True)
    return " ".join(
        [
            "-m time",
            *dice.sometimes(0.5, lambda: f"--timestart {start}"),
            *dice.sometimes(0.5, lambda: f"--timestop {stop}"),
            *dice.sometimes(0.4, lambda: f"{dice.no()}--weekdays {some(*DAYS, *range(1, 8))}"),
            *dice.sometimes(0.4, lambda: f"{dice.no()}--monthdays {some(*range(1, 32))}"),
            *dice.sometimes(0.3, lambda: f"--datestart {when()}"),
            *dice.sometimes(0.3, lambda: f"--datestop {when()}"),
            *dice.sometimes(0.2, lambda: dice.pick("--utc", "--kerneltz")),
        ]
    )


def packet(_):
    return None, {}


def cases(_):
    now, some = int(time.time()), [P(udp()), P(tcp())]

    def case(rule, hit):
        return Case(f"-m time {rule}", some if hit else [], [] if hit else some)

    yield case("", True)
    # A range that spans midnight is the rest of the day when it is turned round.
    for before, after, hit in ((-2, 2, True), (2, 4, False), (-4, -2, False), (4, -4, False), (2, -2, False)):
        yield case(f"--timestart {clock(now + before * HOUR)} --timestop {clock(now + after * HOUR)}", hit)
        yield case(f"--datestart {date(now + before * HOUR)} --datestop {date(now + after * HOUR)}", hit)
    yield case(f"--datestart {date(now - HOUR)}", True)
    yield case(f"--datestart {date(now + HOUR)}", False)
    yield case(f"--datestop {date(now + HOUR)}", True)
    yield case(f"--datestop {date(now - HOUR)}", False)
    # Today, and the days beside it.
    near = [time.gmtime(now + days * DAY) for days in (-1, 0, 1)]
    weekdays = ",".join(DAYS[day.tm_wday] for day in near)
    yield case(f"--weekdays {weekdays}", True)
    yield case(f"! --weekdays {weekdays}", False)
    yield case("--weekdays 1,2,3,4,5,6,7", True)
    monthdays = ",".join(str(day.tm_mday) for day in near)
    yield case(f"--monthdays {monthdays}", True)
    yield case(f"! --monthdays {monthdays}", False)
    yield case(f"--weekdays {weekdays} ! --monthdays {monthdays}", False)
    # With midnight behind and two hours of the day ahead it is still yesterday's night, if it has to be one piece.
    yesterday, today, _ = near
    if today.tm_hour < 22:
        night = f"--timestart {clock(now + 2 * HOUR)} --timestop {clock(now + HOUR)}"
        for contiguous in ("", " --contiguous"):
            yield case(f"{night}{contiguous} --weekdays {DAYS[today.tm_wday]}", not contiguous)
            yield case(f"{night}{contiguous} --monthdays {yesterday.tm_mday}", bool(contiguous))
    # The VM's kernel has no zone of its own.
    yield case(f"--kerneltz --timestart {clock(now - HOUR)} --timestop {clock(now + HOUR)}", True)
