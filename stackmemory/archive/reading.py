"""Taking a workspace from an archive: looked through first, then written in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from frames import partitions
from frames.models import Event
from frames.reach import uuid_or_none
from frames.signals import changed
from frames.transfer.reading import parts as in_parts
from frames.transfer.timeline import few_collections
from stackmemory.archive.checking import Checked, checked, refuse_present
from stackmemory.archive.container import Container, Told
from stackmemory.archive.contents import parts
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.event_rows import ALTERED, EventRows
from stackmemory.archive.event_staging import StagedEvents
from stackmemory.archive.hashing import Sum, workspace_hash
from stackmemory.archive.newcomer import Newcomer
from stackmemory.archive.taking import taken, takers
from stackmemory.archive.values import default_of
from stackmemory.lib.bulk import insert_new
from stackmemory.lib.staging import room_for_much
from stackmemory.lib.tenancy import system_scope
from workspaces import audit
from workspaces.models import Membership, User, Workspace
from workspaces.models.workspace import slug_validator

# (phase, rows done, rows in all)
Progress = Callable[[str, int, int], None]


def import_workspace(
    *,
    path: Path,
    slug: str | None = None,
    on_progress: Progress | None = None,
    by: Newcomer | None = None,
) -> dict[str, Any]:
    """Bring the workspace of an archive in, under its own slug or another; return the report.

    All or nothing: it is looked through before anything is written to a table, its events beside
    theirs, and what is written counts only when its hash is the archive's and its audit chain holds. Ids stay as they were, so one
    installation takes it once. `by` is whoever brings it, where that is no operator. Raises
    BadArchive.
    """
    began = timezone.now()
    with closing(Container(path)) as container, few_collections():
        importing = _Importing(container, slug, on_progress, by)
        if by is not None:
            by.check(container)
        with checked(container, importing.checked_rows) as sound:
            workspace, made = importing.write(sound)
        return {
            "status": "done",
            "workspace": workspace.slug,
            "workspace_hash": container.manifest["workspace_hash"],
            "rows": {told.name: told.rows for told in container.parts},
            "people": {"known": len(sound.people) - len(made), "made inactive": made},
            "members": importing.members,
            "owners": _owners(workspace),
            "lost": _number_of(container.manifest.get("lost")),
            "seconds": round((timezone.now() - began).total_seconds(), 3),
        }


class _LackingMonths(Exception):
    """Events are of months that nothing told of: to be made outside the transaction."""

    def __init__(self, months: set[date]) -> None:
        super().__init__()
        self.months = months


class _Importing:
    def __init__(
        self,
        container: Container,
        slug: str | None,
        on_progress: Progress | None,
        by: Newcomer | None,
    ) -> None:
        self.container, self.on_progress, self.by = container, on_progress, by
        # Who was a member and is none here.
        self.members: list[dict[str, str]] = []
        self.slug = slug or str((container.manifest.get("workspace") or {}).get("slug"))
        self.total = sum(told.rows for told in container.parts if told.part is not None)
        self.done = 0
        self._check_free()

    def checked_rows(self, rows: int, _: int) -> None:
        self._tick("checking", rows)

    def write(self, checked: Checked) -> tuple[Workspace, list[str]]:
        total = self.done
        while True:
            # Before the transaction: making a month locks the whole table for a moment.
            partitions.ensure(checked.months)
            try:
                with room_for_much(), system_scope(), transaction.atomic():
                    partitions.hold()
                    events = self._stage(checked)
                    return self._write(checked, events)
            except _LackingMonths as lacking:
                checked.months |= lacking.months
                self.done = total
            except IntegrityError as problem:
                self._refuse_events(checked)
                said = str(problem).partition("\n")[0][:200]
                raise BadArchive(
                    f"Its rows contradict each other or what is here ({said})."
                ) from None

    def _refuse_events(self, checked: Checked) -> None:
        """Raise BadArchive naming an event that stands in it twice, or is here already, if one does.

        Only now: of a sound archive nobody need collect the ids of events.
        """
        for told in self.container.parts:
            if told.part is not None and told.part.model is Event:
                rows = EventRows(self.container, told)
                at = rows.fields.index("id")
                for batch in rows.batches():
                    pks = list(map(uuid.UUID, batch.columns[at]))
                    checked.ids.add(told.name, pks)
                    refuse_present(told.part, pks)

    def _stage(self, checked: Checked) -> list[StagedEvents]:
        """Look the events through, beside their table; raises BadArchive before it is touched."""
        staged = [
            StagedEvents(checked.workspace["id"], self.container, told, checked.ids)
            for told in self.container.parts
            if told.part is not None and told.part.model is Event
        ]
        for events in staged:
            for number in events.take_in():
                self._tick("checking", number)
            if lacking := partitions.lacking(events.months):
                raise _LackingMonths(lacking)
        return staged

    def _write(self, checked: Checked, staged: list[StagedEvents]) -> tuple[Workspace, list[str]]:
        self.done = 0
        row = checked.workspace
        workspace = Workspace(
            id=row["id"], slug=self.slug, name=row.get("name", ""), settings=row["settings"]
        )
        workspace.created_at = row.get("created_at", workspace.created_at)
        workspace.save(force_insert=True)
        made: list[str] = []
        if self.by is not None:
            people = self.by.people(checked.people)
        else:
            people, made = _people(checked)
        told = {each.name: each for each in self.container.parts}
        in_order = [told[part.name] for part in parts() if part.name in told]
        for each in in_order:
            if each.part is not None and each.part.model is not Event:
                self._table(workspace, each, people)
                continue
            for number in (n for events in staged for n in events.move()):
                self._tick("writing", number)
        self._verify(workspace, in_order, people, staged)
        if self.by is not None:
            self.members = self.by.settle(workspace, self.container.manifest)
        changed(workspace)  # search is made anew
        return workspace, made

    def _table(self, workspace: Workspace, told: Told, people: dict[str, uuid.UUID]) -> None:
        assert told.part is not None
        model, take = told.part.model, takers(told)
        known = [name for name in told.part.people() if name in told.fields]
        # What names a row of the same table is written when all of them are there.
        own = [n for n, target in told.part.references().items() if target == told.name]
        lacking = {
            column.name: default_of(column)
            for column in model._meta.concrete_fields
            if column.name not in told.fields and column.name not in ("id", "workspace")
        }
        fields = ["id", "workspace", *(f for f in told.fields if f != "id"), *lacking]
        later: list[tuple[uuid.UUID, tuple[Any, ...]]] = []
        numbered = enumerate(self.container.rows(told), start=1)
        for rows in in_parts(numbered, 500):
            values = []
            for number, raw in rows:
                row = taken(told, take, number, raw) | {"workspace": workspace.pk} | lacking
                row |= {name: people[row[name]] for name in known if row[name] is not None}
                if any(row.get(name) for name in own):
                    later.append((row["id"], tuple(row.get(name) for name in own)))
                    row |= dict.fromkeys(own)
                values.append([row[name] for name in fields])
            if len(insert_new(model, fields, values)) != len(values):
                raise BadArchive(f"Rows of “{told.name}” are here already.")
            self._tick("writing", len(rows))
        _point(model, own, later)

    def _verify(
        self,
        workspace: Workspace,
        told: list[Told],
        people: dict[str, uuid.UUID],
        staged: list[StagedEvents],
    ) -> None:
        of = [(each.part, each.fields) for each in told if each.part is not None]
        called = {pk: email for email, pk in people.items()}
        known = []
        for events in staged:
            # Their lines were as their values are spelled: so these have the hash of the lines.
            events.verify(workspace)
            known.append(Sum(*(getattr(events.told, name) for name in Sum._fields)))
        found = workspace_hash(workspace, of, called, known)
        if found != self.container.manifest.get("workspace_hash"):
            raise BadArchive(ALTERED)
        if fault := next(audit.faults(workspace), None):
            raise BadArchive(f"The audit log in it is not whole: {fault}.")

    def _check_free(self) -> None:
        if not slug_validator.regex.fullmatch(self.slug):  # type: ignore[union-attr]
            raise BadArchive(
                f"“{self.slug[:60]}” is no address of a workspace. {slug_validator.message}"
            )
        pk = uuid_or_none(str((self.container.manifest.get("workspace") or {}).get("id")))
        there = Workspace.objects.filter(pk=pk).first() if pk else None
        if there is not None:
            called = f", as “{there.slug}”" if self.by is None else ""
            raise BadArchive(
                f"This workspace is here already{called}: an installation takes it once."
            )
        how = " with --as" if self.by is None else " address"
        if Workspace.objects.filter(slug=self.slug).exists():
            raise BadArchive(f"There is a workspace “{self.slug}” already; give another{how}.")

    def _tick(self, phase: str, rows: int) -> None:
        self.done += rows
        if self.on_progress is not None:
            self.on_progress(phase, self.done, self.total)


def _owners(workspace: Workspace) -> int:
    with system_scope():
        return Membership.unscoped.filter(workspace=workspace, role="owner").count()


def _number_of(names: object) -> int:
    """How many objects the archive was made without."""
    return len(names) if isinstance(names, list) else 0


def _people(checked: Checked) -> tuple[dict[str, uuid.UUID], list[str]]:
    """Everybody by e-mail address; who is not here is made, inactive and without a password."""
    there = dict(User.objects.filter(email__in=checked.people).values_list("email", "pk"))
    taken_ids = set(
        User.objects.filter(pk__in=[pk for pk, _ in checked.people.values()]).values_list(
            "pk", flat=True
        )
    )
    made = []
    for email, (pk, name) in checked.people.items():
        if email not in there:
            own = {} if pk in taken_ids else {"id": pk}
            user = User(email=email, name=name, is_active=False, **own)
            user.set_unusable_password()
            user.save(force_insert=True)
            there[email] = user.pk
            made.append(email)
    return there, made


def _point(model: Any, own: list[str], later: list[tuple[uuid.UUID, tuple[Any, ...]]]) -> None:
    if not later:
        return
    q = connection.ops.quote_name
    columns = [model._meta.get_field(name).column for name in own]
    settings = ", ".join(f"{q(column)} = %s" for column in columns)
    sql = f"UPDATE {q(model._meta.db_table)} SET {settings} WHERE id = %s"
    prepared = model._meta.pk.get_db_prep_value
    with connection.cursor() as cursor:
        cursor.executemany(
            sql,
            [
                [*(prepared(t, connection) for t in targets), prepared(pk, connection)]
                for pk, targets in later
            ],
        )
