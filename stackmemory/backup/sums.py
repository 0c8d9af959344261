"""What two databases can compare to know that they hold the same rows."""

from __future__ import annotations

from typing import Any, NamedTuple

from stackmemory.backup.named import Named

# table → {"rows": how many, "sum": of a hash of each, whatever their order}
Sums = dict[str, dict[str, Any]]


class Found(NamedTuple):
    """What is in a database at one moment."""

    migrations: list[str]
    tables: Sums
    objects: Named


def differences(then: Sums, now: Sums) -> list[str]:
    """One sentence for each table that is not as it was."""
    told = []
    for table in sorted(then.keys() | now.keys()):
        before, after = then.get(table), now.get(table)
        if before is None or after is None:
            told.append(f"{table} {'is missing' if after is None else 'was not in it'}")
        elif before["rows"] != after["rows"]:
            told.append(f"{table} has {after['rows']:,} rows instead of {before['rows']:,}")
        elif before["sum"] != after["sum"]:
            told.append(f"{table} has other rows, though as many")
    return told
