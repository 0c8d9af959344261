"""Writing a workspace into one file."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from django.db.models import Q
from django.utils import timezone

from frames.losses import SAID, Losses
from frames.models import Event
from frames.transfer.sharing import Share, share
from stackmemory.archive.contents import PEOPLE_FIELDS, Part, parts
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.hashing import Sum, combined, workspace_row
from stackmemory.archive.rows import Reader, Row, line, people, plain
from stackmemory.lib.ahead import behind
from stackmemory.lib.tenancy import workspace_scope, workspace_snapshot
from workspaces import audit
from workspaces.models import User, Workspace

T = TypeVar("T")
FORMAT, VERSION = "stackmemory-workspace", 1
MANIFEST = "manifest.json"
# Half the time of level 6, for a file that is 7 % larger.
LEVEL = 4
# Rows done so far, and in all; may raise to end it.
Progress = Callable[[int, int], None]


def export_workspace(
    *,
    workspace: Workspace,
    output: Path,
    private: bool = True,
    user: User | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Write all that the workspace has to `output`, a new file; return the report.

    Without `private` no private frame is in it, nor what belongs to one. Memory stays flat whatever
    the size. Raises BadArchive where the file cannot be written; nothing is left of it then, nor
    after whatever on_progress raises.
    """
    began = timezone.now()
    if output.exists():
        raise BadArchive(f"{output} is there already; move it away or give another name.")
    with workspace_scope(workspace.id):
        # First, so that the archive tells of it too.
        audit.record(
            workspace=workspace, action="export", actor=user, target=workspace,
            after={"format": FORMAT, "private frames": private},
        )  # fmt: skip
    partial = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(partial, "x", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
            writing = _Writing(workspace, archive, private, on_progress)
            made_at = began.isoformat(timespec="seconds").replace("+00:00", "Z")
            # As it was at one moment, or rows would name rows that came after their table was read.
            with workspace_snapshot(workspace.id):
                manifest = writing.write(made_at)
        partial.rename(output)
    except OSError as problem:
        raise BadArchive(f"{output} cannot be written: {problem.strerror}.") from problem
    finally:
        partial.unlink(missing_ok=True)
    return {
        "status": "done",
        "file": str(output),
        "bytes": output.stat().st_size,
        "workspace_hash": manifest["workspace_hash"],
        "rows": {part["name"]: part["rows"] for part in manifest["parts"]},
        "left_out": {SAID: len(lost)} if (lost := manifest.get("lost", [])) else {},
        "lost": lost,
        "seconds": round((timezone.now() - began).total_seconds(), 3),
    }


class _Writing:
    def __init__(
        self,
        workspace: Workspace,
        archive: zipfile.ZipFile,
        private: bool,
        on_progress: Progress | None,
    ) -> None:
        self.workspace, self.archive, self.on_progress = workspace, archive, on_progress
        self.private = private
        self.done = self.total = 0

    def write(self, made_at: str) -> dict[str, Any]:
        hidden = None if self.private else Q(visibility="private")
        left = self._read(share, self.workspace, hidden) if hidden is not None else Share()
        losses = Losses()
        reader = Reader(self.workspace, hidden, left, losses)
        named = self._read(self._people, reader)
        sums = [
            self._part("workspace", [(1, line(workspace_row(self.workspace)))]),
            self._part("people", [(len(named), b"".join(map(line, named)))]),
        ]
        sums += [self._part(part.name, self._blocks(reader, part)) for part in parts()]
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "made_at": made_at,
            "workspace": {
                "id": str(self.workspace.pk),
                "slug": self.workspace.slug,
                "name": self.workspace.name,
            },
            "private_frames": self.private,
            "workspace_hash": combined(sums),
            "parts": [
                {**each._asdict(), "file": f"rows/{each.name}.jsonl", "fields": self._fields(each)}
                for each in sums
            ],
        }
        if losses.names:
            manifest["lost"] = losses.told()
        text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
        self.archive.writestr(MANIFEST, text)
        return manifest

    def _read(self, fetch: Callable[..., T], *what: Any) -> T:
        with workspace_scope(self.workspace.id, reading=True):
            return fetch(*what)

    def _people(self, reader: Reader) -> list[Row]:
        ids = set().union(*(reader.person_ids(part) for part in parts()))
        users = people(ids)
        reader.know({user.pk: user.email for user in users})
        self.total = sum(reader.query(part).count() for part in parts() if part.model is not Event)
        self.total += sum(number for _, number in reader.frames())
        return [{name: plain(getattr(user, name)) for name in PEOPLE_FIELDS} for user in users]

    def _blocks(self, reader: Reader, part: Part) -> Iterable[tuple[int, bytes]]:
        blocks = reader.blocks(part)
        while (block := self._read(next, blocks, None)) is not None:
            yield block
            self.done += block[0]
            if self.on_progress is not None:
                self.on_progress(self.done, max(self.total, self.done))

    def _part(self, name: str, blocks: Iterable[tuple[int, bytes]]) -> Sum:
        total, rows, size = hashlib.sha256(), 0, 0
        with self.archive.open(f"rows/{name}.jsonl", "w", force_zip64=True) as out:

            def pack(block: bytes) -> None:
                total.update(block)
                out.write(block)

            # Packing is most of the work, and the database makes the next block meanwhile.
            with behind(pack) as give:
                for number, block in blocks:
                    give(block)
                    rows, size = rows + number, size + len(block)
        return Sum(name, rows, size, total.hexdigest())

    def _fields(self, part: Sum) -> list[str]:
        own = {each.name: each.fields for each in parts()}
        workspace = tuple(workspace_row(self.workspace))
        return sorted(own.get(part.name, workspace if part.name == "workspace" else PEOPLE_FIELDS))
