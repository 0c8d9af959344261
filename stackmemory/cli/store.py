"""From a path to the files of one local store, and to the zip that carries them."""

from __future__ import annotations

import hashlib
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stackmemory.cli import snapshot
from stackmemory.cli.talk import Problem

FOLDER = ".stackmemory"
# The same rules by which the server reads a folder; a test compares them (tests/cli).
SECRETS = frozenset(
    {"linear-tokens.json", "linear-auth.json", "linear-config.json", "railway.env", "config.json"}
)
SIDE_DATABASES = ("db/stackmemory.db", "memory.db", "analytics.db", "cache.db")
SIDE_FILE_SUFFIXES = frozenset({".json", ".jsonl", ".md", ".yaml", ".yml", ".status"})
SIDE_FILE_LIMIT = 8 * 1024 * 1024
COMPANIONS = ("tasks.jsonl", "session-decisions.json", "projects.db")
# Always the same, so that the same content makes the same zip and an upload can go on.
MOMENT = (1980, 1, 1, 0, 0, 0)


class Gone(Problem):
    """There is no store in the place."""


@dataclass
class Store:
    """`parts` are the files by their place in the zip, `at` the place of the store itself."""

    database: Path
    name: str
    at: str
    parts: dict[str, Path] = field(default_factory=dict)
    databases: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)

    def add(self, place: str, path: Path, *, database: bool = False) -> None:
        self.parts[place] = path
        if database:
            self.databases.add(place)


def locate(path: Path) -> Store:
    """The store at `path`: a database, a `.stackmemory` folder, or a repository's root."""
    try:
        if path.is_dir():
            inside = path if (path / "context.db").is_file() else path / FOLDER
            if not (inside / "context.db").is_file():
                raise Gone(
                    f"{path} holds no context.db, nor does a {FOLDER} folder in it; give the folder"
                    " of a repository in which StackMemory was used."
                )
            return _folder(inside)
        if path.is_file():
            return _folder(path.parent) if path.name == "context.db" else _file(path)
    except PermissionError:
        raise Problem(f"No permission to look into {path}.") from None
    raise Gone(f"There is no {path}; give a context.db, a {FOLDER} folder or a repository.")


def _folder(folder: Path) -> Store:
    named = folder.resolve()
    ours = named.name == FOLDER
    name = _plain(named.parent.name) if ours else ""
    at = f"{name or 'repository'}/{FOLDER}" if ours else "store"
    store = Store(folder / "context.db", name or "context.db", at)
    store.add(f"{at}/context.db", store.database, database=True)
    for companion in COMPANIONS:
        if (folder / companion).is_file():
            store.add(f"{at}/{companion}", folder / companion, database=companion == "projects.db")
    if ours:
        for side in SIDE_DATABASES:
            if (folder / side).is_file() and (folder / side).stat().st_size:
                store.add(f"{at}/{side}", folder / side, database=True)
        _side_files(store, folder)
    return store


def _file(path: Path) -> Store:
    at = _plain(path.name) or "store.db"
    store = Store(path, at, at)
    store.add(at, path, database=True)
    stem = str(Path(at).with_suffix(""))
    for companion in COMPANIONS:
        beside = path.with_suffix(f".{companion}")
        if beside.is_file():
            store.add(f"{stem}.{companion}", beside, database=companion == "projects.db")
    return store


def _side_files(store: Store, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        place = f"{store.at}/{name}"
        if not path.is_file() or path.is_symlink() or place in store.parts:
            continue
        if path.suffix not in SIDE_FILE_SUFFIXES:
            continue
        odd = _plain(name) != name or name.count("/") > 8
        if path.name in SECRETS or path.stat().st_size > SIDE_FILE_LIMIT or odd:
            store.left_out.append(name)
        else:
            store.add(place, path)


def _plain(name: str) -> str:
    """A name that every archive can hold."""
    text = name.encode("utf-8", "ignore").decode()
    return re.sub(r"[\x00-\x1f\x7f\\]", "", text)


@dataclass(frozen=True)
class Bundle:
    path: Path
    size: int
    sha256: str


@contextmanager
def bundled(store: Store) -> Iterator[Bundle]:
    """A zip of the store as it is at this moment, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="stackmemory-push-") as folder:
        copies = dict(store.parts)
        for number, place in enumerate(sorted(store.databases)):
            copies[place] = Path(folder) / f"{number}.db"
            snapshot.take(store.parts[place], copies[place])
        yield pack(copies, Path(folder) / "bundle.zip")


def pack(parts: dict[str, Path], target: Path) -> Bundle:
    """A zip of these files; the same files make the same zip."""
    try:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
            for place, path in sorted(parts.items()):
                entry = zipfile.ZipInfo(place, MOMENT)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o600 << 16
                with archive.open(entry, "w", force_zip64=True) as out, path.open("rb") as source:
                    while block := source.read(1 << 20):
                        out.write(block)
    except OSError as problem:
        raise Problem(
            f"The files cannot be packed in {target.parent} ({problem.strerror}); free some space or"
            " point TMPDIR elsewhere."
        ) from None
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Bundle(target, target.stat().st_size, digest)
