"""What a typed body or parameter does not allow, in words that say how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stackmemory.lib.refusal import Refusal

Problem = dict[str, Any]
WORDS: dict[str, Callable[[Problem], str]] = {
    "missing": lambda p: "This is needed.",
    "extra_forbidden": lambda p: "There is no such field here; leave it out, or mend its name.",
    "string_type": lambda p: "A text is needed, in quotes.",
    "string_too_short": lambda p: f"At least {p['ctx']['min_length']} characters are needed.",
    "string_too_long": lambda p: f"At most {p['ctx']['max_length']} characters.",
    "literal_error": lambda p: f"One of {p['ctx']['expected'].replace(' or ', ', ')}.",
    "int_type": lambda p: "A whole number is needed.",
    "int_parsing": lambda p: "A whole number is needed.",
    "int_from_float": lambda p: "A whole number is needed.",
    "bool_type": lambda p: "true or false is needed.",
    "bool_parsing": lambda p: "true or false is needed.",
    "float_type": lambda p: "A number is needed.",
    "float_parsing": lambda p: "A number is needed.",
    "finite_number": lambda p: "A finite number is needed.",
    "greater_than_equal": lambda p: f"At least {p['ctx']['ge']}.",
    "less_than_equal": lambda p: f"At most {p['ctx']['le']}.",
    "less_than": lambda p: f"Less than {p['ctx']['lt']}.",
    "list_type": lambda p: "A list is needed.",
    "too_long": lambda p: f"At most {p['ctx']['max_length']} of them.",
    "too_short": lambda p: f"At least {p['ctx']['min_length']} of them.",
    "dict_type": lambda p: "An object is needed.",
    "model_type": lambda p: "An object is needed.",
    "model_attributes_type": lambda p: "An object is needed.",
    "uuid_parsing": lambda p: "A UUID is needed, as 01234567-89ab-7def-8123-456789abcdef.",
    "uuid_type": lambda p: "A UUID is needed, as 01234567-89ab-7def-8123-456789abcdef.",
    "timezone_aware": lambda p: "Give the time with its zone, as 2026-01-31T12:00:00Z.",
    "value_error": lambda p: _sentence(str(p["ctx"]["error"])),
}


def told(problems: Sequence[Problem]) -> Refusal:
    """The first problem, naming its field, and how many more there are."""
    first = problems[0]
    kind = first["type"]
    if kind.startswith("datetime"):
        kind = "timezone_aware"
    words = WORDS.get(kind, lambda problem: _sentence(problem["msg"]))(first)
    more = len(problems) - 1
    if more:
        words += f" {more} more {'is' if more == 1 else 'are'} wrong as well."
    return Refusal("invalid", words, field=_field(first["loc"]))


def _field(loc: Sequence[Any]) -> str:
    """Where it is, as the caller knows it: without the name a function has for its body."""
    source, *path = loc
    if source == "body":
        return ".".join(map(str, path[1:])) or "body"
    return str(path[-1]) if path else str(source)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
