"""Which project of the workspace the rows of a store go to."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from django.utils.text import slugify

from frames.models import Project
from frames.transfer.errors import BadStore
from frames.transfer.locate import Store
from frames.transfer.snapshot import snapshot
from frames.transfer.source import Source
from frames.transfer.values import shown, text_or_bad
from stackmemory.lib.uuid7 import uuid7
from workspaces.models import Workspace
from workspaces.models.workspace import slug_validator

GENERAL = frozenset({"default", "current", "cli-project", ""})


@dataclass
class Projects:
    """`main` takes whatever names no project; `of` says where rows of an old id go."""

    main: Project
    by_old_id: dict[str, Project] = field(default_factory=dict)
    made: list[Project] = field(default_factory=list)

    def of(self, old_id: str) -> Project:
        return self.by_old_id.get(old_id, self.main)


def choose_projects(
    *,
    workspace: Workspace,
    source: Source,
    store: Store,
    old_ids: Counter[str],
    slug: str | None,
    keep_project_ids: bool,
) -> Projects:
    """Find or draft the projects; the drafted (`made`) are not saved yet.

    All ids of a file become one project, since local tools gave one repository several; with
    `keep_project_ids` each becomes its own.
    """
    names = known_names(source, store)
    there = {project.slug: project for project in Project.objects.in_workspace(workspace)}
    if not keep_project_ids:
        name = slug or store.name or _name_in_contexts(source) or _name_of_ids(old_ids, names)
        name = name or Path(source.name).stem
        main = _find_or_draft(workspace, there, slug or slug_of(name), name)
        main.aliases = sorted({*main.aliases, *filter(None, old_ids)})
        return Projects(main, made=[main])
    projects: dict[str, Project] = {}
    # Every repository has some of the general ids: those say nothing about which one it is.
    by_alias = {a: p for p in there.values() for a in p.aliases if a not in GENERAL}
    for old_id in old_ids or [store.name or Path(source.name).stem]:
        project = by_alias.get(old_id) or _own_project(workspace, there, old_id, names)
        there[project.slug] = project
        project.aliases = sorted({*project.aliases, old_id} - {""})
        projects[old_id] = project
    most = old_ids.most_common(1)
    main = projects[most[0][0]] if most else next(iter(projects.values()))
    if slug is not None:
        main = _find_or_draft(workspace, there, slug, slug)
    made = {p.pk: p for p in (*projects.values(), main)}
    return Projects(main, projects, list(made.values()))


def _own_project(
    workspace: Workspace, there: dict[str, Project], old_id: str, names: dict[str, str]
) -> Project:
    """A project for one old id; never one that already is another id's."""
    name = names.get(old_id) or old_id or "no project"
    slug = slug_of(name)
    for number in count(2):
        project = there.get(slug)
        if project is None or not project.aliases or old_id in project.aliases:
            return _find_or_draft(workspace, there, slug, name)
        slug = f"{slug_of(name)[:45].rstrip('-')}-{number}"
    raise AssertionError("unreachable")


def known_names(source: Source, store: Store) -> dict[str, str]:
    """Display names by old id, from the store's registry and the user's projects.db."""
    names: dict[str, str] = {}
    if {"project_id", "display_name"} <= set(source.tables.get("project_registry", [])):
        for _, row in source.rows("project_registry"):
            names[shown(row["project_id"])] = shown(row["display_name"])
    if store.projects is not None:
        names |= dict(_registered(store.projects))
    return {old_id: name for old_id, name in names.items() if old_id and name}


def _registered(path: Path) -> Iterator[tuple[str, str]]:
    """The ids and names of a user's projects.db."""
    with snapshot(path) as copy, closing(sqlite3.connect(copy)) as connection:
        connection.text_factory = text_or_bad
        try:
            rows = connection.execute("SELECT id, name FROM projects").fetchall()
        except sqlite3.DatabaseError as problem:
            raise BadStore(
                f"{path} holds no readable list of projects ({problem}); move it away to import"
                " without names."
            ) from None
    yield from ((shown(old_id), shown(name)) for old_id, name in rows)


def slug_of(name: str) -> str:
    """A slug for a name; ids derived from a repository's address keep their last, telling part."""
    slug = slugify(name)[-50:].strip("-_").replace("_", "-")
    slug = re.sub(r"[^a-z0-9-]", "", slug).strip("-")
    # A name in another script leaves nothing; two such names are two projects all the same.
    return slug or f"imported-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def check_slug(slug: str) -> str:
    """`slug` if it is one; BadStore otherwise."""
    if not slug_validator.regex.fullmatch(slug):  # type: ignore[union-attr]
        raise BadStore(f"“{slug}” is no project slug. {slug_validator.message}")
    return slug


def _find_or_draft(
    workspace: Workspace, there: dict[str, Project], slug: str, name: str
) -> Project:
    project = there.get(slug)
    if project is not None:
        return project
    return Project(id=uuid7(), workspace=workspace, slug=slug, name=name[:200])


def _name_in_contexts(source: Source) -> str:
    """Servers note “Project: NAME” among their contexts at every start."""
    if not {"type", "content"} <= set(source.tables.get("contexts", [])):
        return ""
    for (content,) in source.connection.execute(
        "SELECT content FROM contexts WHERE type = 'project' LIMIT 5"
    ):
        found = re.match(r"Project: *([^\n]{1,100})", shown(content))
        if found:
            return found[1].strip()
    return ""


def _name_of_ids(old_ids: Counter[str], names: dict[str, str]) -> str:
    for old_id, _ in old_ids.most_common():
        if old_id not in GENERAL:
            return names.get(old_id) or re.sub(r"^(https?|git|ssh)-+(git-)?", "", old_id)
    return ""
