#!/usr/bin/env python3
"""Writes dateutil.txt: what python-dateutil says of rules that the tests try.

    pip install python-dateutil==2.9.0.post0
    python3 ask_dateutil.py > dateutil.txt

A line is "kind|rule|anchor|zone|answers". The anchor is a wall time. Answers
are the dates after it (YYYYMMDD) if there is no zone, and the instants after
it in UTC if there is one; or what dateutil refuses with, after "!".
"""

import random
import sys
import warnings
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

from dateutil.rrule import rrulestr

# The calendar repeats every 400 years, and dateutil looks for dates until the
# year 9999. Asked so much later it gives up sooner on a rule that has none.
LATER = 19 * 400
HORIZON = 100  # years

# What the table of differences shows. The tests say which are right.
EXAMPLES = [
    # rule, anchor, zone, how many
    ("FREQ=MONTHLY;BYDAY=MO,-1FR", "20270104T090000", "", 4),
    ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", "20270106T090000", "", 3),
    ("FREQ=YEARLY;BYWEEKNO=20", "20270517T090000", "", 3),
    ("FREQ=YEARLY;BYWEEKNO=53;BYDAY=SA", "20330101T090000", "", 2),
    ("FREQ=YEARLY;BYWEEKNO=-52;BYDAY=MO", "20240101T090000", "", 2),
    ("FREQ=DAILY;BYDAY=MO;COUNT=2", "20270106T090000", "", 4),
    ("FREQ=DAILY;UNTIL=20270106", "20270104T090000", "", 4),
    ("FREQ=MONTHLY", "20270131T090000", "", 4),
    ("FREQ=YEARLY", "20280229T090000", "", 3),
    ("FREQ=DAILY", "20270327T023000", "Europe/Berlin", 2),
    ("FREQ=DAILY", "20270313T023000", "America/New_York", 2),
    ("FREQ=DAILY", "20271030T023000", "Europe/Berlin", 2),
    ("FREQ=DAILY", "20270903T090000", "America/Santiago", 3),
    ("FREQ=DAILY;UNTIL=20270106T090000", "20270104T090000", "America/New_York", 4),
    ("FREQ=DAILY;COUNT=3;UNTIL=20270106", "20270104T090000", "", 4),
    ("FREQ=WEEKLY;BYDAY=2MO", "20270104T090000", "", 3),
    ("FREQ=WEEKLY;BYMONTHDAY=15", "20270104T090000", "", 3),
    ("FREQ=MONTHLY;BYWEEKNO=20;BYDAY=MO", "20270104T090000", "", 3),
    ("FREQ=MONTHLY;BYYEARDAY=100", "20270104T090000", "", 3),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "20270104T090000", "", 3),
    ("FREQ=MONTHLY;BYSETPOS=1", "20270104T090000", "", 3),
    ("FREQ=DAILY;COUNT=0", "20270104T090000", "", 3),
    ("FREQ=DAILY;BYMONTHDAY=32", "20270104T090000", "", 3),
    ("freq=weekly;byday=mo", "20270104T090000", "", 2),
]

# Between them every kind of clock change.
ZONES = [
    "Europe/Berlin", "Europe/London", "Europe/Dublin", "Atlantic/Azores", "America/New_York", "America/Santiago",
    "America/Havana", "America/St_Johns", "Australia/Lord_Howe", "Australia/Sydney", "Pacific/Auckland",
    "Pacific/Chatham", "Africa/Cairo", "Asia/Beirut", "America/Nuuk", "Antarctica/Troll",
]


def parse(wall):
    return datetime.strptime(wall, "%Y%m%dT%H%M%S")


def dates(rule, anchor, n):
    """The first n dates after the anchor, in UTC, within the horizon."""
    start = anchor.replace(year=anchor.year + LATER)
    parts = rule.split(";")
    for i, part in enumerate(parts):
        if part.startswith("UNTIL="):
            parts[i] = "UNTIL=%04d%s" % (int(part[6:10]) + LATER, part[10:].rstrip("Z"))
    found = []
    end = start + timedelta(days=365.25 * HORIZON)
    for at in rrulestr(";".join(parts), dtstart=start):
        if at > end or len(found) == n:
            break
        if at > start:
            found.append("%04d%s" % (at.year - LATER, at.strftime("%m%d")))
    return found


def instants(rule, anchor, zone, n):
    """The first n instants after the anchor, in UTC."""
    start = anchor.replace(tzinfo=ZoneInfo(zone))
    found = []
    for at in rrulestr(rule, dtstart=start):
        if len(found) == n:
            break
        if at > start:
            found.append(at.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ"))
    return found


def line(kind, rule, anchor, zone, n):
    try:
        answers = instants(rule, anchor, zone, n) if zone else dates(rule, anchor, n)
    except ValueError as e:
        answers = ["!" + str(e).split("\n")[0]]
    print("|".join([kind, rule, anchor.strftime("%Y%m%dT%H%M%S"), zone, ",".join(answers)]))


def random_rule(rnd):
    """Any parts that taskwire takes together."""

    def one_in(n):
        return rnd.randrange(n) == 0

    def listed(most, of):
        return ",".join(of() for _ in range(1 + rnd.randrange(most)))

    def signed(most):
        def number():
            n = 1 + rnd.randrange(most)
            if one_in(3):
                n = (1, 2, most - 1, most)[rnd.randrange(4)]
            return str(-n if one_in(3) else n)

        return number

    def weekday():
        return ("MO", "TU", "WE", "TH", "FR", "SA", "SU")[rnd.randrange(7)]

    freq = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")[rnd.randrange(4)]
    rule = ["FREQ=" + freq]
    if one_in(2):
        rule.append("INTERVAL=%d" % (1 + rnd.randrange(6)))
    if one_in(2):
        rule.append("WKST=" + weekday())
    by = []
    by_month = one_in(3)
    if by_month:
        by.append("BYMONTH=" + listed(4, lambda: str(1 + rnd.randrange(12))))
    if freq != "WEEKLY" and one_in(4):
        by.append("BYMONTHDAY=" + listed(4, signed(31)))
    if freq == "YEARLY" and one_in(6):
        by.append("BYYEARDAY=" + listed(5, signed(366)))
    by_week = freq == "YEARLY" and one_in(3)
    if by_week:
        by.append("BYWEEKNO=" + listed(4, signed(53)))
    most = 53 if freq == "YEARLY" and not by_month else 5
    if one_in(2):
        if freq in ("MONTHLY", "YEARLY") and not by_week and not one_in(3):
            numbers = listed(3, lambda: signed(most)() + weekday())
            by.append("BYDAY=" + (weekday() + "," if one_in(3) else "") + numbers)
        else:
            by.append("BYDAY=" + listed(5, weekday))
    if by and one_in(3):
        by.append("BYSETPOS=" + listed(3, signed((2, 5, 31)[rnd.randrange(3)])))
    if one_in(6):
        by.append("COUNT=%d" % (1 + rnd.randrange(12)))
    elif one_in(6):
        until = datetime(2026 + rnd.randrange(9), 1 + rnd.randrange(12), 1 + rnd.randrange(28), 9)
        by.append("UNTIL=" + until.strftime(("%Y%m%d", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ")[rnd.randrange(3)]))
    return ";".join(rule + by)


def random_anchor(rnd):
    day = datetime(2000 + rnd.randrange(27), 1, 1, 9) + timedelta(days=rnd.randrange(366))
    special = rnd.randrange(4)
    if special == 0:
        day = day.replace(day=1) - timedelta(days=1)  # a month's last day
    elif special == 1:
        day = datetime(2000 + 4 * rnd.randrange(7), 2, 29, 9)
    elif special == 2:
        day = datetime(2000 + rnd.randrange(27), 12, 25, 9) + timedelta(days=rnd.randrange(16))
    return day


def changes(zone, year):
    """The instants of a year at which the zone's clocks change, as naive UTC."""
    at, end = datetime(year, 1, 1, tzinfo=timezone.utc), datetime(year + 1, 1, 1, tzinfo=timezone.utc)
    tz = ZoneInfo(zone)
    while at < end:
        before = at.astimezone(tz).utcoffset()
        at += timedelta(minutes=30)
        after = at.astimezone(tz).utcoffset()
        if before != after:
            yield at.replace(tzinfo=None), before, after


def main():
    warnings.simplefilter("ignore")  # COUNT and UNTIL together
    tzdata = "unknown"
    for folder in TZPATH:
        zi = Path(folder, "tzdata.zi")
        if zi.exists():
            tzdata = zi.read_text().split("\n")[0].split()[-1]
            break
    print("# python-dateutil %s, Python %s, tzdata %s; written by ask_dateutil.py" % (
        version("python-dateutil"), sys.version.split()[0], tzdata))
    for rule, anchor, zone, n in EXAMPLES:
        line("example", rule, parse(anchor), zone, n)
    rnd = random.Random(5545)
    for _ in range(1500):
        line("random", random_rule(rnd), random_anchor(rnd), "", 8)
    # One year, whose clock changes hardly any government can alter any more.
    for zone in ZONES:
        for at, before, after in changes(zone, 2026):
            begin, end = at + min(before, after), at + max(before, after)
            midnight = begin.replace(hour=0, minute=0)
            walls = {begin - timedelta(seconds=1), begin, begin + (end - begin) / 2, end - timedelta(seconds=1), end,
                     midnight, midnight + timedelta(hours=12), midnight + timedelta(days=1)}
            for wall in sorted(walls):
                line("change", "FREQ=DAILY", wall - timedelta(days=1), zone, 2)


main()
