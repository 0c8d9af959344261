"""Icons, badges, people and the links of the rail. {% load marks %}

States and types are open enums: a value nobody has heard of is shown as it is, in grey.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django import template
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from workspaces.models import User

register = template.Library()


class Look(NamedTuple):
    label: str
    icon: str
    colour: str


ANCHORS = {
    "DECISION": Look("Decision", "decision", "accent"),
    "CONSTRAINT": Look("Constraint", "constraint", "amber"),
    "FACT": Look("Fact", "fact", "grey"),
    "INTERFACE_CONTRACT": Look("Interface", "contract", "violet"),
    "TODO": Look("To do", "todo", "blue"),
    "RISK": Look("Risk", "risk", "red"),
}
STATUSES = {
    "pending": Look("Pending", "circle", "grey"),
    "in_progress": Look("In progress", "half", "blue"),
    "blocked": Look("Blocked", "blocked", "red"),
    "completed": Look("Completed", "check", "accent"),
    "cancelled": Look("Cancelled", "cross", "grey"),
}
PRIORITIES = {
    "urgent": Look("Urgent", "urgent", "red"),
    "high": Look("High", "bars-3", "amber"),
    "medium": Look("Medium", "bars-2", "grey"),
    "low": Look("Low", "bars-1", "grey"),
}
TRANSFERS = {
    "receiving": Look("Receiving", "half", "blue"),
    "waiting": Look("Waiting", "circle", "grey"),
    "checking": Look("Checking", "half", "blue"),
    "running": Look("Running", "half", "blue"),
    "done": Look("Done", "check", "accent"),
    "failed": Look("Failed", "risk", "red"),
    "cancelled": Look("Cancelled", "cross", "grey"),
}
LABEL_LIMIT = 40
TINTS = 5
ORDINARY = 5


@register.simple_tag
def icon(name: str) -> SafeString:
    """One drawing of static/icons.svg; it says nothing a word beside it does not say."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("icons.svg"),
        name,
    )


def unknown(value: Any) -> Look:
    text = str(value or "").strip() or "none"
    label = text if len(text) <= LABEL_LIMIT else text[: LABEL_LIMIT - 1] + "…"
    return Look(label, "", "grey")


def badge(look: Look, raw: Any) -> SafeString:
    picture = icon(look.icon) if look.icon else ""
    return format_html(
        '<span class="badge badge-{}" title="{}">{}<span class="clip">{}</span></span>',
        look.colour,
        str(raw or "")[:300],
        picture,
        look.label,
    )


@register.simple_tag
def anchor_type(value: str) -> SafeString:
    return badge(ANCHORS.get(value) or unknown(value), value)


@register.simple_tag
def task_status(value: str) -> SafeString:
    return badge(STATUSES.get(value) or unknown(value), value)


@register.simple_tag
def task_priority(value: str) -> SafeString:
    look = PRIORITIES.get(value) or unknown(value)
    picture = icon(look.icon) if look.icon else ""
    return format_html(
        '<span class="level level-{}">{}<span class="clip">{}</span></span>',
        look.colour,
        picture,
        look.label,
    )


@register.simple_tag
def anchor_label(value: str) -> str:
    return (ANCHORS.get(value) or unknown(value)).label


@register.simple_tag
def status_label(value: str) -> str:
    return (STATUSES.get(value) or unknown(value)).label


@register.simple_tag
def priority(value: int) -> SafeString:
    """An anchor's priority, said only where it is not the usual 5; out of 0–10, the nearest."""
    nearest = min(10, max(0, value))
    if nearest == ORDINARY:
        return mark_safe("")
    level = 3 if nearest > 7 else 2 if nearest > 3 else 1
    return format_html(
        '<span class="nowrap" title="Priority {} of 0–10">{} priority {}</span>',
        value,
        icon(f"bars-{level}"),
        nearest,
    )


@register.simple_tag
def transfer_state(value: str) -> SafeString:
    return badge(TRANSFERS.get(value) or unknown(value), value)


@register.simple_tag
def state(frame: Any) -> SafeString:
    """A frame's state: open, closed, failed (it holds errors), or whatever its store called it."""
    if frame.state not in ("active", "closed"):
        look, kind = unknown(frame.state), "open" if frame.is_open else "closed"
        look = Look(look.label, "half" if frame.is_open else "check", "")
    elif frame.is_open:
        look, kind = Look("Open", "open", ""), "open"
    else:
        look, kind = Look("Closed", "check", ""), "closed"
    return format_html(
        '<span class="state state-{}">{}<span class="clip">{}</span></span>',
        kind,
        icon(look.icon),
        look.label,
    )


@register.simple_tag
def errors(count: int) -> SafeString:
    """How many errors, in red with a word for those who do not see red; nothing for none."""
    if not count:
        return mark_safe("")
    return format_html(
        '<span class="state state-failed" title="{} {}">{}{}<span class="sr"> {}</span></span>',
        count,
        "error" if count == 1 else "errors",
        icon("risk"),
        count,
        "error" if count == 1 else "errors",
    )


def initials(name: str) -> str:
    words = [word for word in name.replace(".", " ").replace("_", " ").split() if word]
    letters = "".join(word[0] for word in words[:2]) or "?"
    return letters.upper()


@register.simple_tag
def person(user: User | None, size: str = "") -> SafeString:
    """A face of initials and the name."""
    if user is None:
        return mark_safe('<span class="muted" aria-label="nobody">–</span>')
    return format_html(
        '<span class="person" title="{}">{}<span><bdi>{}</bdi></span></span>',
        user.email,
        face(user, size),
        user.display_name,
    )


@register.simple_tag
def face(user: User, size: str = "") -> SafeString:
    return format_html(
        '<span class="face face-{}{}" aria-hidden="true">{}</span>',
        user.id.int % TINTS,
        " face-l" if size == "large" else "",
        initials(user.display_name),
    )


def _link(context: template.Context, css: str, view: str, label: str, name: str, also: str) -> str:
    """A link of rail or bar; empty where no such page exists (yet)."""
    request, workspace = context["request"], context["workspace"]
    try:
        url = reverse(view, args=[workspace.slug])
    except NoReverseMatch:
        return ""
    match = request.resolver_match
    here = match.view_name if match else ""
    current = mark_safe(' aria-current="page"') if here in (view, *also.split()) else ""
    return format_html(
        '<a class="{}" href="{}"{}>{}<span>{}</span></a>', css, url, current, icon(name), label
    )


@register.simple_tag(takes_context=True)
def rail_link(context: template.Context, view: str, label: str, name: str, also: str = "") -> str:
    """<li> of the rail for a page of this workspace; `also` names pages it is lit on as well."""
    link = _link(context, "rail-link", view, label, name, also)
    return format_html("<li>{}</li>", link) if link else ""


@register.simple_tag(takes_context=True)
def bar_link(context: template.Context, view: str, label: str, name: str, also: str = "") -> str:
    return _link(context, "", view, label, name, also)
