"""The one function behind page, API and tools: what was asked, how it was taken, what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from frames.models import Project
from search.backends import Filters, Light
from search.filtering import file_pattern
from search.grouping import grouped
from search.models import Document
from search.query import Person, Query, Who, parse
from search.query.asked import MOST
from search.query.inline import listed
from search.searching import Found, find, newest
from search.weighing import Hit
from workspaces.actor import Actor
from workspaces.models import Membership

USUAL = 20
# How old, for the facet of time: name, label, days.
AGES = (("1d", "Last 24 hours", 1), ("7d", "Last 7 days", 7), ("30d", "Last 30 days", 30))
YIELDING = {
    "time": ("since", "until"), "people": ("people",), "types": ("kinds", "types"),
    "files": ("files",), "priority": ("least", "most"), "status": ("is_open",),
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """A value of a facet: what to ask for, what it is called, how many of those found have it."""

    value: str
    label: str
    count: int
    chosen: bool = False


@dataclass(frozen=True)
class Chosen:
    """What was picked beside the words: on the page, or as parameters."""

    project: str = ""
    kind: str = ""
    type: str = ""
    person: str = ""
    age: str = ""
    sort: str = ""

    def __bool__(self) -> bool:
        return any((self.project, self.kind, self.type, self.person, self.age))


@dataclass
class Answer:
    query: Query
    hits: list[Hit] = field(default_factory=list)
    facets: dict[str, list[Choice]] = field(default_factory=dict)
    # Of all that fits, as far as it was looked at.
    total: int = 0
    # What had to be left out of the question for anything to be found.
    yielded: list[str] = field(default_factory=list)
    projects: dict[UUID, str] = field(default_factory=dict)

    @property
    def is_possible(self) -> bool:
        return not self.query.problems


def ask(
    *,
    actor: Actor,
    given: str | dict[str, Any],
    chosen: Chosen | None = None,
    limit: int = 0,
    now: datetime | None = None,
) -> Answer:
    """Understand `given` (plain words, modifiers, a template, JSON) and answer it.

    A query that cannot be has problems and no hits. What was only read out of plain words yields
    where nothing would be found, and the answer says so.
    """
    actor.require("read")
    chosen = chosen or Chosen()
    now = now or timezone.now()
    projects = _projects(actor)
    people = _people(actor)
    me = next((p for p in people if actor.user and p.id == actor.user.pk), None)
    query = parse(given, Who(now, me, people, list(projects)))
    answer = Answer(query, projects={row.pk: row.name or row.slug for row in projects.values()})
    if query.problems or not (query.text or query.phrases or query.is_filtered or chosen):
        return answer
    limit = min(query.limit or limit or USUAL, MOST)
    counted: dict[Any, int] = {}
    found = _found(actor, query, chosen, projects, now, limit, counted)
    while not found.pool and query.soft:
        name = sorted(query.soft, key=lambda each: each != "time")[0]
        query = _yield(query, name)
        answer.yielded.append(name)
        if not (query.text or query.phrases or query.is_filtered or chosen):
            break
        found = _found(actor, query, chosen, projects, now, limit, counted)
    if not found.pool:
        answer.yielded = []
    for word, near in found.meant.items():
        answer.query.note(f"{word} → {listed(near)}")
    answer.hits = _sorted(found.hits, chosen.sort or query.sort)
    if query.group:
        answer.hits = grouped(answer.hits, query.group, now)
    if query.format == "full":
        _read_whole(actor, answer.hits)
    answer.total = len(found.pool)
    answer.facets = _facets(found.pool, chosen, projects, people, now)
    return answer


def _found(
    actor: Actor, query: Query, chosen: Chosen, projects: dict[str, Project], now: datetime,
    limit: int, counted: dict[Any, int],
) -> Found:  # fmt: skip
    filters = _filters(query, chosen, projects, now)
    by_id = {project.pk: project for project in projects.values()}
    sort = chosen.sort or query.sort
    words = " ".join([query.text, *query.phrases]).strip()
    if not words:
        by = "-score" if sort == "score" else "-at"
        filters = filters if by == "-at" else filters._replace(least=filters.least or 0.0)
        return newest(actor=actor, filters=filters, limit=limit, by=by, projects=by_id)
    found = find(
        actor=actor, text=query.text or words, filters=filters,
        limit=MOST if sort in ("time", "score") or query.without else limit,
        phrases=query.phrases, prefer=query.prefer, counted=counted, projects=by_id,
    )  # fmt: skip
    if query.without:
        found.hits = [hit for hit in found.hits if not _holds(hit.document, query.without)]
    found.hits = _sorted(found.hits, sort)[:limit]
    return found


def _filters(query: Query, chosen: Chosen, projects: dict[str, Project], now: datetime) -> Filters:
    by_id = {str(project.pk): project.pk for project in projects.values()}
    wanted = [
        projects[s].pk if s in projects else by_id.get(s, UUID(int=0)) for s in query.projects
    ]
    filters = Filters(
        projects=wanted or None,
        kinds=query.kinds or None,
        types=query.types or None,
        since=query.since,
        until=query.until,
        people=[person.id for person in query.people] or None,
        names=[n.lower() for p in query.people for n in (p.name, p.email) if n] or None,
        is_open=query.is_open,
        least=query.least,
        most=query.most,
        files=[file_pattern(glob) for glob in query.files] or None,
    )
    if chosen.project:
        ours = projects.get(chosen.project)
        filters = filters._replace(projects=[ours.pk if ours else UUID(int=0)])
    filters = _kinds_and_types(filters, query, chosen)
    if chosen.person:
        filters = filters._replace(people=[_uuid(chosen.person)], names=None)
    if days := {name: days for name, _, days in AGES}.get(chosen.age):
        filters = filters._replace(since=now - timedelta(days=days))
    return filters


def _kinds_and_types(filters: Filters, query: Query, chosen: Chosen) -> Filters:
    """Those asked for, both held to; `+type:decision,frame` is either, and of these what was picked."""
    either = query.kinds_or_types
    if either and not query.kinds:
        if not chosen.kind and not chosen.type:
            return filters._replace(kinds=either, either=True)
        if chosen.kind in either:
            filters = filters._replace(types=None)
        elif not chosen.kind and chosen.type.lower() not in query.types:
            filters = filters._replace(kinds=either)
    if chosen.kind:
        filters = filters._replace(kinds=[chosen.kind])
    if chosen.type:
        filters = filters._replace(types=[chosen.type.lower()])
    return filters


def _yield(query: Query, name: str) -> Query:
    blank = Query()
    changes = {field_: getattr(blank, field_) for field_ in YIELDING[name]}
    return replace(query, soft=query.soft - {name}, **changes)


def _sorted(hits: list[Hit], sort: str) -> list[Hit]:
    if sort == "time":
        return sorted(hits, key=lambda hit: (hit.document.at, hit.document.pk), reverse=True)
    if sort == "score":
        return sorted(hits, key=lambda hit: -(hit.document.score or 0.0))
    return hits


def _read_whole(actor: Actor, hits: list[Hit]) -> None:
    rows = Document.objects.in_workspace(actor.workspace)
    rows = rows.filter(pk__in=[hit.document.pk for hit in hits])
    texts: dict[UUID, str] = dict(rows.values_list("pk", "text"))
    for hit in hits:
        hit.document.text = texts.get(hit.document.pk, hit.document.head)


def _holds(document: Any, words: Sequence[str]) -> bool:
    text = f"{document.title} {document.head}".lower()
    return any(word.lower() in text for word in words)


def _facets(
    pool: Sequence[Light], chosen: Chosen, projects: dict[str, Project], people: list[Person],
    now: datetime,
) -> dict[str, list[Choice]]:  # fmt: skip
    slugs = {project.pk: project for project in projects.values()}
    names = {person.id: person.name or person.email for person in people}
    facets: dict[str, list[Choice]] = {}
    counts = Counter(document.project_id for document in pool)
    facets["project"] = [
        Choice(
            slugs[pk].slug, slugs[pk].name or slugs[pk].slug, n, slugs[pk].slug == chosen.project
        )
        for pk, n in counts.most_common()
        if pk in slugs
    ]
    for name, of in (("kind", "kind"), ("type", "type")):
        values = Counter(getattr(d, of).lower() for d in pool if getattr(d, of))
        facets[name] = [
            Choice(
                value,
                value.replace("_", " ").capitalize(),
                n,
                value.lower() == getattr(chosen, name).lower(),
            )
            for value, n in values.most_common(12)
        ]
    owners = Counter(document.owner_id for document in pool if document.owner_id)
    facets["person"] = [
        Choice(str(pk), names[pk], n, str(pk) == chosen.person)
        for pk, n in owners.most_common(12)
        if pk in names
    ]
    facets["age"] = [
        Choice(value, label, n, value == chosen.age)
        for value, label, days in AGES
        if (n := sum(document.at >= now - timedelta(days=days) for document in pool))
    ]
    return facets


def _projects(actor: Actor) -> dict[str, Project]:
    projects = Project.objects.in_workspace(actor.workspace)
    if actor.project_id is not None:
        projects = projects.filter(pk=actor.project_id)
    projects = projects.only("workspace_id", "slug", "name").order_by("name")
    return {project.slug: project for project in projects[:500]}


def _people(actor: Actor) -> list[Person]:
    members = Membership.objects.in_workspace(actor.workspace).order_by("created_at")
    return [
        Person(*row) for row in members.values_list("user_id", "user__name", "user__email")[:500]
    ]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
