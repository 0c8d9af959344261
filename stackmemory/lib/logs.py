"""Logs for machines: one line of JSON for each record, with the id of the request it belongs to."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# What is being done: the answer's X-Request-Id, or the job.
request_id: ContextVar[str] = ContextVar("request_id", default="")
# A record's own attributes; what else it has was given as `extra`.
KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id"}
LONGEST = 16_000


class WithRequest(logging.Filter):
    """Gives each record the id of the request in which it was made."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        given = getattr(record, "request_id", "") or request_id.get()
        record.request_id = given or getattr(request, "id", "")
        return True


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:LONGEST],
            "process": record.process,
        }
        if given := getattr(record, "request_id", ""):
            line["request_id"] = given
        for name, value in vars(record).items():
            if name not in KNOWN and isinstance(value, str | int | float | bool | None):
                line[name] = value
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)[-LONGEST:]
        return json.dumps(line, ensure_ascii=False, default=str)


class Lines(logging.Formatter):
    """For people: time, level, who says it, and the id where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        given = getattr(record, "request_id", "")
        head, newline, rest = text.partition("\n")
        return f"{head} [{given}]{newline}{rest}" if given else text
