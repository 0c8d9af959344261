"""Taking a backup, and letting old ones go."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.db import connections
from django.utils import timezone

from stackmemory.backup import files
from stackmemory.backup.container import Json, Writer
from stackmemory.backup.engines import Engine, engine_of
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.named import Named, is_of_rows
from stackmemory.backup.places import Directory, Place, forget_left_behind, name_for
from stackmemory.backup.sealing import Sealer, good_key
from stackmemory.backup.sums import Found
from stackmemory.lib.database_url import database_settings

Say = Callable[[str], None]
OBJECTS = "objects"
# So often is the database saved, where objects are erased all the time.
TRIES = 3


def back_up(
    *,
    to: Place,
    key: str = "",
    with_files: bool = True,
    say: Say = lambda line: None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Write one backup of the whole installation to `to`; return the report.

    The database is as it was at one moment; it may be used meanwhile. Killed, it leaves no file that
    could be taken for a backup. Raises BadBackup.
    """
    began, at = time.monotonic(), now or timezone.now()
    if key:
        good_key(key)
    if isinstance(to, Directory) and (alias := files.inside_of_one(to.path)):
        raise BadBackup(
            f"{to.said} is inside of the storage “{alias}”, which is backed up too; name another"
            " directory, or storage:objects."
        )
    engine = saved_engine()
    say("Writing the backup …")
    name = name_for(at, sealed=bool(key))
    with tempfile.TemporaryDirectory(prefix="stackmemory-backup-", dir=_scratch()) as scratch:
        dump = Path(scratch) / engine.part
        with to.writing(name, Path(scratch)) as out:
            sealer = Sealer(out, key) if key else None
            about = {"created_at": at.isoformat(), "engine": engine.name,
                     "engine_version": engine.version()}  # fmt: skip
            with Writer(cast(BinaryIO, sealer or out), about) as writer:
                adding = _Files(writer)
                if with_files:
                    adding.add(OBJECTS)
                found = _save(engine, dump, adding if with_files else None, say)
                with dump.open("rb") as stream:
                    writer.add(engine.part, stream, dump.stat().st_size)
                if with_files:
                    adding.add("default")
                told = {"migrations": found.migrations, "tables": found.tables, "files": with_files}
                if with_files:
                    told |= adding.compared(found.objects)
                writer.finish(about | told)
            if sealer:
                sealer.finish()
            size = out.tell()
    return {
        "status": "ok",
        "backup": name,
        "place": to.said,
        "bytes": size,
        "encrypted": bool(key),
        "tables": len(found.tables),
        "rows": sum(table["rows"] for table in found.tables.values()),
        "files": sum(map(len, adding.names.values())),
        "missing": told.get("missing", []),
        "database_bytes": next(p["bytes"] for p in writer.parts if p["name"] == engine.part),
        "seconds": round(time.monotonic() - began, 2),
    }


def keep_newest(place: Place, number: int) -> list[str]:
    """Delete all but the newest `number` backups; return what went."""
    gone = place.names()[:-number] if number > 0 else []
    for name in gone:
        place.delete(name)
    return gone


def saved_engine() -> Engine:
    """The database that backups are taken of, by the login that owns its tables."""
    if url := settings.BACKUP_DATABASE_URL:
        return engine_of(database_settings(url, require_tls=settings.PRODUCTION))
    return engine_of(connections["default"].settings_dict)


class _Files:
    """The files of a backup: objects before the database is saved, the rest of them after it.

    An object may be written anew, and the old one erased, at any moment. Those that were there before
    are in the backup; should one be lacking that came and went while the database was being saved,
    the database is saved once more.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer, self.names = writer, dict[str, set[str]]()

    def add(self, alias: str) -> None:
        """What there is of a storage, and not in the backup."""
        there = self.names.setdefault(alias, set())
        for name in files.all_names(alias):
            if name not in there and (found := files.opened(alias, name)):
                stream, size = found
                with stream:
                    self.writer.add(files.part_of(alias, name), stream, size)
                there.add(name)

    def lacking(self, objects: Named) -> set[str]:
        return objects.keys() - self.names[OBJECTS]

    def compared(self, objects: Named) -> Json:
        """For the manifest: objects that rows name and there were none of, and those that no row
        names, which are not put back."""
        strays = self.names[OBJECTS] - objects.keys()
        return {
            "missing": sorted(self.lacking(objects)),
            "unnamed": sorted(name for name in strays if is_of_rows(name)),
        }


def _save(engine: Engine, dump: Path, adding: _Files | None, say: Say) -> Found:
    for _ in range(TRIES):
        say("Saving the database …")
        dump.unlink(missing_ok=True)
        found = engine.save(dump)
        if adding is None:
            break
        adding.add(OBJECTS)
        lacking = adding.lacking(found.objects)
        if not lacking or lacking <= engine.named().keys():  # lost, and not erased meanwhile
            break
    return found


def _scratch() -> Path:
    """On the same disk as what we keep: /tmp may be small, or be memory."""
    folder = Path(settings.VAR_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    forget_left_behind(folder.glob("stackmemory-backup-*"))
    return folder
