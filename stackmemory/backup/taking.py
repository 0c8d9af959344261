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
from stackmemory.backup.container import Writer
from stackmemory.backup.engines import Engine, engine_of
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.places import Directory, Place, forget_left_behind, name_for
from stackmemory.backup.sealing import Sealer, good_key
from stackmemory.lib.database_url import database_settings

Say = Callable[[str], None]


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
    name = name_for(at, sealed=bool(key))
    with tempfile.TemporaryDirectory(prefix="stackmemory-backup-", dir=_scratch()) as scratch:
        dump = Path(scratch) / engine.part
        say("Saving the database …")
        found = engine.save(dump)
        say("Writing the backup …")
        with to.writing(name, Path(scratch)) as out:
            sealer = Sealer(out, key) if key else None
            about = {"created_at": at.isoformat(), "engine": engine.name,
                     "engine_version": engine.version()}  # fmt: skip
            writer = Writer(cast(BinaryIO, sealer or out), about)
            with dump.open("rb") as stream:
                writer.add(engine.part, stream, dump.stat().st_size)
            number = _add_files(writer) if with_files else 0
            manifest = writer.finish(
                about
                | {"migrations": found.migrations, "tables": found.tables, "files": with_files}
            )
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
        "files": number,
        "database_bytes": manifest["parts"][0]["bytes"],
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


def _add_files(writer: Writer) -> int:
    number = 0
    for alias, name in files.all_names():
        if found := files.opened(alias, name):
            stream, size = found
            with stream:
                writer.add(f"{files.PREFIX}{alias}/{name}", stream, size)
            number += 1
    return number


def _scratch() -> Path:
    """On the same disk as what we keep: /tmp may be small, or be memory."""
    folder = Path(settings.VAR_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    forget_left_behind(folder.glob("stackmemory-backup-*"))
    return folder
