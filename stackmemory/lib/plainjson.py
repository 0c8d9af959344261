"""JSON that any client can read, from values that came from anywhere."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, from_json, to_jsonable_python


def dump(model: BaseModel) -> bytes:
    """A model as JSON.

    Imported values may hold what pydantic's own writer refuses, halves of characters and deep
    nesting; those are written by the slower one, as escapes.
    """
    try:
        return model.model_dump_json().encode()
    except (PydanticSerializationError, ValueError, RecursionError):
        return json.dumps(_tame(model.model_dump()), default=to_jsonable_python).encode()


def load_strict(text: str | bytes) -> Any:
    """Parse JSON that other parsers will read as well; ValueError for NaN, halves of characters
    and nesting deeper than 200.
    """
    return from_json(text, allow_inf_nan=False)


def _tame(value: Any) -> Any:
    """Without the numbers JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _tame(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tame(item) for item in value]
    return value
