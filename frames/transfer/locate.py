"""From a path a person gives to the files of one local store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from frames.transfer.errors import BadStore

FOLDER = ".stackmemory"
# Files of the folder that hold secrets in clear text: never read, only named in the report.
SECRETS = frozenset(
    {"linear-tokens.json", "linear-auth.json", "linear-config.json", "railway.env", "config.json"}
)
SIDE_DATABASES = ("db/stackmemory.db", "memory.db", "analytics.db", "cache.db")
SIDE_FILE_SUFFIXES = frozenset({".json", ".jsonl", ".md", ".yaml", ".yml", ".status"})
SIDE_FILE_LIMIT = 8 * 1024 * 1024


@dataclass
class Store:
    """The files of one store. `name` is the best guess at what the repository is called."""

    database: Path
    name: str
    tasks: Path | None = None
    decisions: Path | None = None
    projects: Path | None = None
    side_databases: list[Path] = field(default_factory=list)
    # Other files of the folder, kept word for word, by their name inside it.
    side_files: dict[str, Path] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def locate(path: Path) -> Store:
    """The store at `path`: a database file, a `.stackmemory` folder, or a repository's root.

    Raises BadStore when there is none.
    """
    try:
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return _file(path)
        if path.exists():
            raise BadStore(f"{path} is neither a file nor a folder; give the path of a context.db.")
    except PermissionError:
        raise BadStore(
            f"No permission to look into {path}; run the import as a user who may read it."
        ) from None
    raise BadStore(f"There is no {path}; give a context.db, a {FOLDER} folder or a repository.")


def _folder(path: Path) -> Store:
    inside = path if (path / "context.db").is_file() else path / FOLDER
    database = inside / "context.db"
    if not database.is_file():
        raise BadStore(
            f"{path} holds no context.db, nor does a {FOLDER} folder in it; give the folder of a"
            " repository in which StackMemory was used."
        )
    return _with_companions(database, _repository_name(inside), folder=inside)


def _file(path: Path) -> Store:
    if path.name == "context.db":
        return _with_companions(path, _repository_name(path.parent), folder=path.parent)
    store = Store(database=path, name="")
    # A copy under another name brings its companions under that name: store.db, store.tasks.jsonl.
    store.tasks = _file_or_none(path.with_suffix(".tasks.jsonl"))
    store.decisions = _file_or_none(path.with_suffix(".session-decisions.json"))
    store.projects = _file_or_none(path.with_suffix(".projects.db"))
    return store


def _with_companions(database: Path, name: str, *, folder: Path) -> Store:
    store = Store(
        database=database,
        name=name,
        tasks=_file_or_none(folder / "tasks.jsonl"),
        decisions=_file_or_none(folder / "session-decisions.json"),
        projects=_file_or_none(folder / "projects.db"),
    )
    if folder.name == FOLDER:
        side = (folder / name for name in SIDE_DATABASES)
        # A tool that only opens a database leaves an empty file.
        store.side_databases = [f for f in side if f.is_file() and f.stat().st_size]
        _collect_side_files(store, folder)
    return store


def _collect_side_files(store: Store, folder: Path) -> None:
    taken = {store.tasks, store.decisions}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or path.is_symlink() or path in taken:
            continue
        if path.suffix not in SIDE_FILE_SUFFIXES:
            continue
        if path.name in SECRETS or path.stat().st_size > SIDE_FILE_LIMIT:
            store.left_out.append(name)
        else:
            store.side_files[name] = path


def _file_or_none(path: Path) -> Path | None:
    return path if path.is_file() else None


def _repository_name(folder: Path) -> str:
    return folder.resolve().parent.name if folder.name == FOLDER else ""
