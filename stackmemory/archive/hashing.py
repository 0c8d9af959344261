"""What two installations can compare to know that they hold the same workspace."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from stackmemory.archive.contents import WORKSPACE_FIELDS, Part, parts
from stackmemory.archive.rows import Reader, line, people, plain
from workspaces.models import Workspace


class Sum(NamedTuple):
    """One part: how many rows, how many bytes, and their SHA-256."""

    name: str
    rows: int
    bytes: int
    sha256: str


def workspace_hash(
    workspace: Workspace,
    of: Iterable[tuple[Part, tuple[str, ...]]] | None = None,
    called: Mapping[UUID, str] | None = None,
    known: Iterable[Sum] = (),
) -> str:
    """SHA-256 over every row that an archive of the workspace would hold, in canonical form.

    `of` names the parts and fields of an older archive, `called` people by other addresses than those
    they have, `known` what is known of a part without reading it. Needs a scope in which the
    workspace's rows are seen. Slug, plan and what is passing do not count.
    """
    there = {each.name: each for each in known}
    chosen = list(of) if of is not None else [(part, part.fields) for part in parts()]
    reader = Reader(workspace)
    for part, _ in chosen:
        reader.know({user.pk: user.email for user in people(reader.person_ids(part))})
    reader.know(called or {})
    sums = [of_lines("workspace", [line(workspace_row(workspace))])]
    for part, fields in chosen:
        sums.append(there.get(part.name) or of_blocks(part.name, reader.blocks(part, fields)))
    return combined(sums)


def workspace_row(workspace: Workspace) -> dict[str, Any]:
    return {name: plain(getattr(workspace, name)) for name in WORKSPACE_FIELDS}


def of_lines(name: str, lines: Iterable[bytes]) -> Sum:
    return of_blocks(name, ((1, each) for each in lines))


def of_blocks(name: str, blocks: Iterable[tuple[int, bytes]]) -> Sum:
    """Of blocks of lines, each with the number of its rows."""
    total, rows, size = hashlib.sha256(), 0, 0
    for number, block in blocks:
        total.update(block)
        rows += number
        size += len(block)
    return Sum(name, rows, size, total.hexdigest())


def combined(sums: Iterable[Sum]) -> str:
    """The hash of a workspace from those of its parts; people count by how rows name them."""
    text = "\n".join(f"{s.name} {s.rows} {s.sha256}" for s in sums if s.name != "people")
    return hashlib.sha256(text.encode()).hexdigest()
