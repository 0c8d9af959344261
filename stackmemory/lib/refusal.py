"""Why a request is not carried out, in words that every face can pass on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Refusal(Exception):
    """Nothing was done. `message` says what is wrong and what would mend it.

    `code` is a stable word for programs, `field` the part of the input that is wrong, `status`
    the HTTP status a web face answers with; `choices`, where they are few, what would be accepted.
    """

    status = 400
    choices: Sequence[Any] = ()

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


class NotFound(Refusal):
    """There is no such thing in the workspace, or not for whoever asks."""

    status = 404

    def __init__(self, what: str, *, field: str | None = None) -> None:
        super().__init__("not_found", f"There is no {what} with this id here.", field=field)


class Forbidden(Refusal):
    status = 403


class Conflict(Refusal):
    """The thing is not in a state in which this could be done."""

    status = 409
