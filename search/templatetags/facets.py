"""Links that narrow a search down or widen it again. {% load facets %}"""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.filter
def get(values: dict[str, Any], name: str) -> Any:
    return values.get(name, "")


@register.simple_tag(takes_context=True)
def query_with(context: template.Context, **changes: Any) -> str:
    """This page's query string with some parameters changed, and nothing about parts of pages."""
    query = context["request"].GET.copy()
    for name, value in {"part": None, **changes}.items():
        query.pop(name, None)
        if value:
            query[name] = value
    return query.urlencode()


@register.simple_tag(takes_context=True)
def facet_query(context: template.Context, name: str, choice: Any) -> str:
    """Choose a value of a facet; chosen already, let it go."""
    value = None if choice is None or choice.chosen else choice.value
    return query_with(context, **{name: value})
