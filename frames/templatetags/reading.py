"""How times, durations, numbers, ids and names are written. {% load reading %}

Everything here returns text that is safe to put into a page and reads well without JavaScript;
static/js/app.js only keeps relative times fresh and speaks the reader's language.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

NOTHING = mark_safe('<span class="muted" aria-label="none">–</span>')
MIDDLE_LIMIT, TAIL, WHOLE = 300, 14, 28
# The times of local stores begin with the tool itself; what lies before is a unit gone wrong.
MINUTE, HOUR, DAY = 60, 3600, 86_400


@register.simple_tag
def when(value: datetime | None, style: str = "relative") -> SafeString:
    """A moment as <time>: "3 h ago", the exact time in the reader's zone on hover.

    Styles: relative, exact ("21 Nov 2026, 14:03"), clock ("14:03:22"), day ("21 Nov").
    """
    if value is None:
        return NOTHING
    local = to_reader(value)
    text = {"exact": _exact, "clock": _clock, "day": _day}.get(style, relative)(local)
    return format_html(
        '<time datetime="{}" data-when="{}" title="{}">{}</time>',
        value.astimezone(UTC).isoformat() if aware_safe(value) else value.isoformat(),
        style,
        f"{local:%Y-%m-%d %H:%M:%S} {local.tzname() or ''}".strip(),
        text,
    )


def aware_safe(value: datetime) -> bool:
    """Whether a time can be moved between zones: the first and last day of all cannot."""
    return 1 < value.year < 9999


def to_reader(value: datetime) -> datetime:
    return timezone.localtime(value) if aware_safe(value) else value


def relative(value: datetime, now: datetime | None = None) -> str:
    """How long ago, up to a month; beyond that, the date."""
    seconds = ((now or timezone.now()) - value).total_seconds()
    size = abs(seconds)
    if size < 45:
        return "just now"
    if size < 59.5 * MINUTE:
        amount = f"{max(1, round(size / MINUTE))} min"
    elif size < 22 * HOUR:
        amount = f"{max(1, round(size / HOUR))} h"
    elif size < 30 * DAY:
        amount = f"{max(1, round(size / DAY))} d"
    else:
        return _day(value, now)
    return f"{amount} ago" if seconds > 0 else f"in {amount}"


def _day(value: datetime, now: datetime | None = None) -> str:
    year = "" if value.year == to_reader(now or timezone.now()).year else f" {value.year}"
    return f"{value.day} {value:%b}{year}"


def _exact(value: datetime) -> str:
    return f"{value.day} {value:%b} {value.year}, {value:%H:%M}"


def _clock(value: datetime) -> str:
    return f"{value:%H:%M:%S}"


@register.filter
def duration(value: timedelta | float | None) -> str:
    """`3 m 12 s`: the two largest units, of a timedelta or a number of seconds."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 0:
        return "–"
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds else "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    parts = []
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (1, "s")):
        amount, whole = divmod(whole, size)
        if amount:
            parts.append(f"{amount} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)


@register.filter
def minutes(value: float | None) -> str:
    """A number of minutes as a duration; files hold all kinds of numbers, NaN among them."""
    if value is None or not math.isfinite(value) or not 0 <= value < 1e7:
        return "–"
    return duration(value * 60)


@register.simple_tag
def lasted(start: datetime | None, end: datetime | None) -> SafeString:
    """The duration between two moments; one that has not ended says so."""
    if start is None:
        return NOTHING
    if end is None:
        return mark_safe('<span class="muted">running</span>')
    return format_html(
        '<span class="num" title="{} – {}">{}</span>',
        f"{to_reader(start):%Y-%m-%d %H:%M:%S}",
        f"{to_reader(end):%H:%M:%S %Z}".strip(),
        duration(max(end - start, timedelta())),
    )


def compact_text(value: int | float) -> str:
    """12412 → `12.4 k`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            scaled = value / size
            return f"{scaled:.1f}".removesuffix(".0") + f" {unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)


@register.filter
def compact(value: int | float | None) -> SafeString:
    """A number short, and exact on hover; zero is shown faintly."""
    if value is None:
        return NOTHING
    if value == 0:
        return mark_safe('<span class="num zero">0</span>')
    text = compact_text(value)
    exact = f"{value:,}"
    if text == exact:
        return format_html('<span class="num">{}</span>', text)
    return format_html('<span class="num" title="{}">{}</span>', exact, text)


@register.filter
def exact(value: int | None) -> SafeString:
    """A number in full, for reports: 181,204."""
    if not value:
        return compact(value)
    return format_html('<span class="num">{}</span>', f"{value:,}")


@register.simple_tag
def short_id(value: Any, label: str = "id") -> SafeString:
    """The end of an id (the beginning of ours is a time), the whole on hover and on copy."""
    whole = str(value or "")
    if not whole:
        return NOTHING
    return format_html(
        '<button type="button" class="id" data-copy="{}" title="{}"'
        ' aria-label="Copy {} {}">{}</button>',
        whole,
        whole,
        label,
        whole,
        whole[-8:],
    )


@register.filter
def middle(text: str | None, empty: str = "(no name)") -> SafeString:
    """A name that gives up its middle when there is no room; the whole on hover.

    Names of hundreds of characters are cut here, so that a megabyte is not sent per row. The
    text is isolated, so that right-to-left names do not turn the row around.
    """
    text = " ".join((text or "").split())
    if not text:
        return format_html('<span class="muted">{}</span>', empty)
    if len(text) > MIDDLE_LIMIT:
        half = MIDDLE_LIMIT // 2
        text = text[: _cut(text, half)] + " … " + text[_cut(text, len(text) - half) :]
    if len(text) <= WHOLE:
        return format_html('<bdi class="clip">{}</bdi>', text)
    at = _cut(text, len(text) - TAIL)
    return format_html(
        '<bdi class="mid" dir="auto" title="{}"><span class="mid-head">{}</span>'
        '<span class="mid-tail">{}</span></bdi>',
        text,
        text[:at],
        text[at:],
    )


def _cut(text: str, at: int) -> int:
    """The nearest place at or before `at` that does not split a letter, an emoji or a word."""
    space = text.rfind(" ", max(0, at - 8), at)
    if space > 0:
        return space
    while 0 < at < len(text) and (
        unicodedata.combining(text[at])
        or unicodedata.category(text[at]) in ("Mn", "Me", "Cf", "Sk")
        or text[at - 1] == "\u200d"
        or "\U0001f1e6" <= text[at] <= "\U0001f1ff"
    ):
        at -= 1
    return at


@register.filter
def cut(text: str | None, limit: int = 600) -> str:
    """The beginning of a text: for lists, where one row may hold a megabyte."""
    text = text or ""
    return text if len(text) <= limit else text[: _cut(text, limit)].rstrip() + " …"
