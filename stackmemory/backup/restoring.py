"""Putting a backup back, and trying whether it could be."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from stackmemory.backup import container, files
from stackmemory.backup.engines import Engine, engine_of
from stackmemory.backup.errors import BadBackup
from stackmemory.backup.named import Named
from stackmemory.backup.places import Place
from stackmemory.backup.sealing import MAGIC, Opened
from stackmemory.backup.sums import Found, differences
from stackmemory.backup.taking import saved_engine
from stackmemory.lib import row_security
from stackmemory.lib.tenancy import as_owner

Say = Callable[[str], None]


def restore(
    *, place: Place, name: str, key: str = "", say: Say = lambda line: None
) -> dict[str, Any]:
    """Put a backup into this installation, whose database has to be empty; return the report.

    The backup is read to its end before anything is written, the database is put back whole or not
    at all, and its rows are compared with what the backup says of them. Raises BadBackup.
    """
    began = time.monotonic()
    engine = engine_of(connections["default"].settings_dict)
    _must_be_empty(engine)
    with _checked(place, name, key, engine, say) as (manifest, dump):
        _must_be_known(manifest)
        files.must_not_differ(manifest["parts"])
        # Files first: begun again after a crash, those that are there are left as they are.
        unnamed = {files.part_of("objects", each) for each in manifest.get("unnamed", ())}
        number = put_files(place, name, key, unnamed) if manifest["files"] else 0
        say("Putting the database back …")
        connections["default"].close()
        engine.load(dump)
        with as_owner():
            weaker = row_security.install().weaker
        say("Comparing …")
        found = _must_match(manifest, engine)
    return _report(manifest, name, began) | {
        "files": number, "weaker": weaker, "missing": _missing(manifest, found.objects)
    }  # fmt: skip


def restore_files(
    *, place: Place, name: str, key: str = "", say: Say = lambda line: None
) -> dict[str, Any]:
    """Put down the files of a backup that are not there, beside a database that is; return the report.

    For a database that came back otherwise, as to a point in time: of objects those that its rows
    name. Raises BadBackup.
    """
    began = time.monotonic()
    say("Reading the backup …")
    with _opened(place, name, key) as source:
        manifest = container.check(source, lambda part, stream: container.drain(stream))
    if not manifest["files"]:
        raise BadBackup("The backup was taken without files.")
    files.must_not_differ(manifest["parts"])
    wanted = {files.part_of("objects", each) for each in saved_engine().named()}
    of_rows = {part["name"] for part in manifest["parts"] if files.is_of_rows(part["name"])}
    say("Putting files down …")
    number = put_files(place, name, key, of_rows - wanted)
    missing = [part for part in wanted if not files.is_there(part)]
    return _report(manifest, name, began) | {
        "files": number, "missing": sorted(map(files.name_of, missing))
    }  # fmt: skip


def verify(
    *,
    place: Place,
    name: str,
    key: str = "",
    into: dict[str, Any] | None = None,
    say: Say = lambda line: None,
) -> dict[str, Any]:
    """Restore into a database made for it, compare every table, and drop it; return the report.

    `into` is an empty database to use instead, as DATABASES has them; it is left filled.
    """
    began = time.monotonic()
    engine = engine_of(into) if into else saved_engine()
    if into:
        _must_be_empty(engine)
    with _checked(place, name, key, engine, say) as (manifest, dump):
        say("Restoring into a database of its own …")
        with nullcontext(engine) if into else engine.scratch() as scratch:
            scratch.load(dump)
            say("Comparing …")
            missing = _missing(manifest, _must_match(manifest, scratch).objects)
            if lacking := set(missing) - set(manifest.get("missing", ())):
                raise BadBackup(
                    f"Rows of the backup name objects that are not in it: {min(lacking)} and"
                    f" {len(lacking) - 1} more. Take another one."
                )
    return _report(manifest, name, began) | {
        "files": sum(part["name"].startswith(files.PREFIX) for part in manifest["parts"]),
        "missing": missing,
    }


@contextmanager
def _checked(
    place: Place, name: str, key: str, engine: Engine, say: Say
) -> Iterator[tuple[container.Json, Path]]:
    """The manifest of a backup that is whole, and its database in a file."""
    settings.VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix="stackmemory-restore-", dir=settings.VAR_DIR
    ) as scratch:
        dump = Path(scratch) / engine.part

        def take(part: str, stream: BinaryIO) -> None:
            if part == engine.part:
                container.copy(stream, dump)
            else:
                container.drain(stream)

        say("Reading the backup …")
        with _opened(place, name, key) as source:
            manifest = container.check(source, take)
        if manifest["engine"] != engine.name:
            raise BadBackup(
                f"The backup is of {manifest['engine']}, and the database is {engine.name}. Name"
                " one of its kind in DATABASE_URL."
            )
        yield manifest, dump


@contextmanager
def _opened(place: Place, name: str, key: str) -> Iterator[BinaryIO]:
    with place.open(name) as stream:
        sealed = stream.read(len(MAGIC)) == MAGIC
        stream.seek(0)
        if sealed and not key:
            raise BadBackup("The backup is encrypted: set BACKUP_KEY, or give --key-file.")
        yield cast(BinaryIO, Opened(stream, key)) if sealed else stream


def _must_be_empty(engine: Engine) -> None:
    if tables := engine.tables():
        raise BadBackup(
            f"The database is not empty: it has {len(tables)} tables, {tables[0]} among them. A"
            " backup is put back into an empty one; make another and name it in DATABASE_URL."
        )


def _must_be_known(manifest: container.Json) -> None:
    ours = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := [name for name in manifest["migrations"] if name not in ours]:
        raise BadBackup(
            f"The backup was made by a newer StackMemory: it has {unknown[0]}. Use that version."
        )


def _must_match(manifest: container.Json, engine: Engine) -> Found:
    found = engine.found()
    wrong = differences(manifest["tables"], found.tables)
    if found.migrations != manifest["migrations"]:
        wrong.append("other migrations are applied")
    if wrong:
        raise BadBackup(
            "The database that came out is not the one that was saved: " + "; ".join(wrong[:10])
        )
    return found


def _missing(manifest: container.Json, objects: Named) -> list[str]:
    """Objects that rows name and that are not in the backup as the rows say."""
    if not manifest["files"]:
        return []
    there = {part["name"]: part["sha256"] for part in manifest["parts"]}
    parts = {name: there.get(files.part_of("objects", name)) for name in objects}
    return sorted(n for n, sha in objects.items() if parts[n] is None or sha not in ("", parts[n]))


def put_files(place: Place, name: str, key: str, without: Collection[str] = ()) -> int:
    """Put down the files of a backup that are not there; how many those were."""
    number = 0

    def take(part: str, stream: BinaryIO) -> None:
        nonlocal number
        number += part not in without and files.put(part, stream)

    with _opened(place, name, key) as source:
        container.each(source, take)
    return number


def _report(manifest: container.Json, name: str, began: float) -> dict[str, Any]:
    ours = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    tables = manifest["tables"].values()
    return {
        "status": "ok",
        "backup": name,
        "created_at": manifest["created_at"],
        "engine": f"{manifest['engine']} {manifest['engine_version']}",
        "tables": len(tables),
        "rows": sum(table["rows"] for table in tables),
        "to_migrate": len(ours - set(manifest["migrations"])),
        "seconds": round(time.monotonic() - began, 2),
    }
