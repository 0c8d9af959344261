"""Times as people say them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from django.utils import timezone

from search.query.asked import Query

UNITS = {"h": "hours", "d": "days", "w": "weeks", "m": "months"}
LAST = re.compile(r"(\d{1,4})\s*([hdwm])", re.IGNORECASE)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
MONTH_DAY = re.compile(
    rf"({'|'.join(MONTHS)})[a-z]*\.? (\d{{1,2}})(?:,? (\d{{4}}))?", re.IGNORECASE
)
LONGEST = timedelta(days=36_500)

_MOMENT = rf"\d{{4}}-\d{{2}}-\d{{2}}|(?:{'|'.join(MONTHS)})[a-z]*\.? \d{{1,2}}(?:,? \d{{4}})?"
_SPAN = r"today|yesterday|(?:this|last|past|previous) (?:week|month|sprint)|(?:last|past) \d{1,4} (?:hour|day|week|month)s?|(?:last|past) (?:hour|day)|recently|recent"
# A time counts where a sentence begins or ends with it; inside one it is a word like others.
SPAN = re.compile(rf"^(?:(?:from|since|in|within|during|over|of) )?(?:the )?({_SPAN})\b[,:]?|(?:\b(?:from|since|in|within|during|over|of|for) )?(?:the )?\b({_SPAN})(?:['’]s)?[?.!]*$", re.IGNORECASE)  # fmt: skip
BETWEEN = re.compile(rf"\bbetween ({_MOMENT}) and ({_MOMENT})", re.IGNORECASE)
SINCE = re.compile(rf"\b(since|after|until|before|on) ({_MOMENT})(?!\w)", re.IGNORECASE)


def read_times(query: Query, text: str, now: datetime) -> str:
    """Take the times out of a text; what is left of it."""
    if found := BETWEEN.search(text):
        first, last = day_of(found[1], now), day_of(found[2], now)
        if first and last:
            query.when(first, last + timedelta(days=1), soft=True)
            query.note(f"{found[1]} to {found[2]}")
            return _without(text, found)
    if found := SINCE.search(text):
        at = day_of(found[2], now)
        if at:
            word = found[1].lower()
            since = at if word in ("since", "after", "on") else None
            until = {"until": at + timedelta(days=1), "before": at}.get(word)
            query.when(since, at + timedelta(days=1) if word == "on" else until, soft=True)
            query.note(f"{word} {found[2]}")
            return _without(text, found)
    if found := SPAN.search(text):
        words = (found[1] or found[2]).lower()
        since, until = span_of(words, now)
        query.when(since, until, soft=True)
        query.note(f"time: {words}")
        return _without(text, found)
    return text


def span_of(words: str, now: datetime) -> tuple[datetime, datetime | None]:
    """What `today`, `last week`, `past 3 days` … mean at this moment, in the reader's zone."""
    midnight = _midnight(now)
    monday = midnight - timedelta(days=midnight.weekday())
    month = midnight.replace(day=1)
    fixed: dict[str, tuple[datetime, datetime | None]] = {
        "today": (midnight, None),
        "yesterday": (midnight - timedelta(days=1), midnight),
        "this week": (monday, None),
        "last week": (monday - timedelta(days=7), monday),
        "this month": (month, None),
        "last month": ((month - timedelta(days=1)).replace(day=1), month),
        "recent": (now - timedelta(hours=4), None),
        "recently": (now - timedelta(days=3), None),
        "this sprint": (now - timedelta(days=14), None),
        "last sprint": (now - timedelta(days=14), None),
    }
    words = words.replace("past ", "last ").replace("previous ", "last ")
    if words in fixed:
        return fixed[words]
    number, _, unit = words.removeprefix("last ").rpartition(" ")
    return now - length_of(int(number or 1), unit[0]), None


def length_of(number: int, unit: str) -> timedelta:
    """`m` is a month, of 30 days."""
    days = {"h": 1 / 24, "d": 1, "w": 7, "m": 30}[unit.lower()]
    return min(timedelta(days=number * days), LONGEST)


def last_of(value: str, now: datetime) -> datetime | None:
    """`3h`, `2d`, `1w`, `1m` ago."""
    found = LAST.fullmatch(value)
    return now - length_of(int(found[1]), found[2]) if found else None


def day_of(text: str, now: datetime) -> datetime | None:
    """The beginning of a day: 2026-01-31, `Dec 15`, `yesterday`, or 3d ago; a moment in ISO form."""
    text = text.strip()
    if text.lower() in ("today", "yesterday"):
        return span_of(text.lower(), now)[0]
    if LAST.fullmatch(text):
        return last_of(text, now)
    try:
        if DAY.fullmatch(text):
            return _at(datetime.strptime(text, "%Y-%m-%d"))
        if found := MONTH_DAY.fullmatch(text):
            month = MONTHS.index(found[1][:3].lower()) + 1
            year = int(found[3] or timezone.localtime(now).year)
            day = _at(datetime(year, month, int(found[2])))
            # Without a year the last such day is meant.
            return day if found[3] or day <= now else _at(datetime(year - 1, month, int(found[2])))
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo else _at(at)
    return at if 1900 < at.year < 9000 else None


def _at(naive: datetime) -> datetime:
    return (
        naive.replace(tzinfo=timezone.get_current_timezone())
        if naive.year > 1900
        else naive.replace(tzinfo=UTC)
    )


def _midnight(now: datetime) -> datetime:
    local = timezone.localtime(now)
    return datetime.combine(local.date(), time(), tzinfo=local.tzinfo)


def _without(text: str, found: re.Match[str]) -> str:
    return " ".join(f"{text[: found.start()]} {text[found.end() :]}".split())
