"""What of a workspace is in an archive, and what is not and why. Every tenant table is in one list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import models
from django.db.models import Q

from workspaces.models import User

# In this order: a table after those that it refers to.
CONTENTS: dict[str, Mapping[str, Any]] = {
    "workspaces.Membership": {"never": ("last_seen_at",)},
    "workspaces.Audit": {},
    "workspaces.AuditHead": {},
    "workspaces.Usage": {},
    "frames.Project": {},
    "frames.AgentSession": {},
    # Where its events lie is of one installation.
    "frames.Frame": {"private": Q(visibility="private"), "never": ("cold_count",)},
    # A large payload is in it whole.
    "frames.Event": {"never": ("stored_digest", "stored_octets")},
    "frames.EventKey": {},
    "frames.Anchor": {},
    "frames.Task": {},
    "frames.HandOff": {},
    "frames.Revision": {},
    "frames.Activity": {},
    # What was erased stays so where the workspace goes.
    "frames.Erased": {},
    "frames.KeptRow": {},
    # Where its files lay, and what passed between here and a browser, is of this machine.
    "frames.Transfer": {"never": ("upload",), "only": Q(kind__in=("import", "mirror"))},
    "frames.TransferItem": {"only": Q(transfer__kind__in=("import", "mirror"))},
    "search.SavedSearch": {},
    "search.ContextBundle": {"private": Q(private=True)},
    "search.ContextMark": {},
}
# Why a table stays behind.
SECRET = "it opens something: new ones are made where the workspace goes"
MADE_ANEW = "made anew from what is in the archive"
IN_EVENTS = "what it says of large payloads, the events of the archive hold whole"
PASSING = "of passing use only"
COLD = "its events are in the archive, as any others"
OPERATORS = "what an operator grants and measures on one installation, not the team's own"
LEFT_OUT: dict[str, str] = {
    "workspaces.ApiKey": SECRET,
    "workspaces.Invitation": SECRET,
    "workspaces.IdempotencyKey": PASSING,
    "workspaces.News": PASSING,
    "frames.Export": PASSING,
    "frames.ArchivedPeriod": COLD,
    "frames.PayloadUse": IN_EVENTS,
    "frames.StoredPayload": IN_EVENTS,
    "workspaces.Pulse": PASSING,
    "workspaces.History": OPERATORS,
    "workspaces.Spending": OPERATORS,
    "workspaces.Limit": OPERATORS,
    "search.Document": MADE_ANEW,
    "search.Embedding": MADE_ANEW,
    "search.IndexedFrame": MADE_ANEW,
    "search.VectorSet": MADE_ANEW,
    "search.Word": MADE_ANEW,
}
# Fields that name rows, though they are no foreign keys: label of the part → field → part.
NAMED = {"frames.frame": {"root_id": "frames.frame"}}
WORKSPACE_FIELDS = ("created_at", "id", "name", "settings")
PEOPLE_FIELDS = ("email", "id", "name")


@dataclass(frozen=True)
class Part:
    """One table of an archive. `fields` in alphabetical order, `workspace` never among them."""

    model: type[models.Model]
    fields: tuple[str, ...]
    # Which of its rows belong to an archive at all, and which of those are somebody's own.
    only: Q = field(default_factory=Q)
    private: Q | None = None

    @property
    def name(self) -> str:
        return self.model._meta.label_lower

    @property
    def file(self) -> str:
        return f"rows/{self.name}.jsonl"

    def named(self) -> dict[str, str]:
        """references(), and other fields of which each value is a row of the archive."""
        return self.references() | NAMED.get(self.name, {})

    def people(self) -> list[str]:
        """Fields that name a person."""
        return [
            name for name in self.fields if self.model._meta.get_field(name).related_model is User
        ]

    def references(self) -> dict[str, str]:
        """Field → the part whose rows it names, itself included."""
        found = {}
        for name in self.fields:
            target = self.model._meta.get_field(name).related_model
            if isinstance(target, type) and target is not User:
                found[name] = target._meta.label_lower
        return found


def parts() -> list[Part]:
    return [_part(label, how) for label, how in CONTENTS.items()]


def part_named(name: str) -> Part | None:
    return next((part for part in parts() if part.name == name), None)


def _part(label: str, how: Mapping[str, Any]) -> Part:
    model = apps.get_model(label)
    never: Iterable[str] = ("workspace", *how.get("never", ()))
    names = sorted(f.name for f in model._meta.concrete_fields if f.name not in never)
    return Part(model, tuple(names), how.get("only", Q()), how.get("private"))
