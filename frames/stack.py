"""The call stack as queries: which frames a page of it loads. How they hang together: frames/tree.py."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import BigIntegerField, Count, F, Q, Subquery, Window
from django.db.models.expressions import OuterRef, RawSQL
from django.db.models.functions import Coalesce, RowNumber

from frames.models import Frame
from frames.models.frame import FrameQuerySet
from workspaces.models import User, Workspace

if TYPE_CHECKING:
    from frames.models import Project

# The order of pages; within a tree, frames stand in the order they were called.
NEWEST_FIRST = ("-started_at", "-id")
# What a row of the tree shows: everything but the long texts.
ROW_FIELDS = (
    "id", "workspace_id", "project_id", "session_id", "parent_id", "root_id", "depth", "type",
    "name", "state", "visibility", "started_at", "closed_at", "event_count", "error_count",
    "anchor_count", "first_event_at", "last_event_at", "cold_count", "owner_id", "owner__name", "owner__email",
)  # fmt: skip
# What its name and place need. The keys of workspace and project are in both because related
# managers read them, and would fetch each one by itself.
NAME_FIELDS = (
    "id", "workspace_id", "project_id", "parent_id", "depth", "type", "name", "state",
    "started_at", "closed_at",
)  # fmt: skip
# Children loaded of one parent, and frames of all trees together; the rest on demand.
CHILDREN = 20
DESCENDANTS = 220


def rows_for(frames: FrameQuerySet, user: User) -> FrameQuerySet:
    """The frames as tree rows: with owner and number of visible children, without long texts."""
    return (
        frames.visible_to(user)
        .select_related("owner")
        .only(*ROW_FIELDS)
        .annotate(
            visible_children=_count(Frame.unscoped.filter(parent=OuterRef("pk")), "parent", user)
        )
    )


def with_tree_sizes(frames: FrameQuerySet, user: User) -> FrameQuerySet:
    """Say of each frame how many visible frames its whole tree has."""
    tree = Frame.unscoped.filter(root_id=OuterRef("root_id"))
    return frames.annotate(tree_size=_count(tree, "root_id", user))


def _count(frames: FrameQuerySet, by: str, user: User) -> Coalesce:
    counted = frames.visible_to(user).order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=BigIntegerField()), 0)


def entry_points(project: Project, user: User) -> FrameQuerySet:
    """The frames that a person's view of a project begins with.

    Its roots, and what lies directly under somebody else's private frame: that frame does not
    exist for this person, and the work below it must not vanish with it.
    """
    frames = project.frames.visible_to(user)
    hidden = project.frames.filter(visibility=Frame.Visibility.PRIVATE).exclude(owner=user)
    return frames.filter(Q(parent=None) | Q(parent__in=hidden.values("pk")))


def descendants(
    workspace: Workspace, user: User, entries: Sequence[Frame], *, cap: int = DESCENDANTS
) -> list[Frame]:
    """The frames of the entries' trees in one query, shallow ones first; of each parent the last."""
    if not entries:
        return []
    frames = rows_for(workspace.frames.all(), user)
    newest_first = [F("started_at").desc(), F("id").desc()]
    return list(
        frames.filter(root_id__in={entry.root_id for entry in entries})
        .exclude(pk__in=[entry.pk for entry in entries])
        .annotate(place=Window(RowNumber(), partition_by=F("parent_id"), order_by=newest_first))
        .filter(place__lte=CHILDREN)
        .order_by("depth", "-started_at", "-id")[:cap]
    )


def ancestors_and_self(
    workspace: Workspace, ids: Collection[uuid.UUID] | FrameQuerySet
) -> FrameQuerySet:
    """The given frames and all frames above them, deepest last. One query, any depth.

    `ids` may be a queryset of one column of ids.
    """
    return workspace.frames.filter(pk__in=_chain(workspace, ids)).order_by("depth", "started_at")


def _chain(workspace: Workspace, ids: Collection[uuid.UUID] | FrameQuerySet) -> RawSQL:
    start, params = _ids_sql(ids)
    table = connection.ops.quote_name(Frame._meta.db_table)
    home = _prepared(workspace.pk)
    # UNION, not UNION ALL: what was met before is dropped, so a ring of parents ends too. The
    # parent's parent is looked up by itself, because PostgreSQL, which cannot know how few rows
    # there are, would join the whole table.
    sql = (
        "WITH RECURSIVE chain(id, parent_id) AS ("
        f"SELECT f.id, f.parent_id FROM {table} f WHERE f.workspace_id = %s AND f.id IN ({start})"
        f" UNION SELECT c.parent_id, (SELECT f.parent_id FROM {table} f WHERE f.id = c.parent_id"
        " AND f.workspace_id = %s) FROM chain c WHERE c.parent_id IS NOT NULL"
        ") SELECT id FROM chain"
    )
    return RawSQL(sql, [home, *params, home])


def _ids_sql(ids: Collection[uuid.UUID] | FrameQuerySet) -> tuple[str, list[Any]]:
    if isinstance(ids, FrameQuerySet):
        sql, params = ids.query.sql_with_params()
        return sql, list(params)
    if not ids:
        return "NULL", []
    return ", ".join(["%s"] * len(ids)), [_prepared(one) for one in ids]


def _prepared(value: uuid.UUID) -> Any:
    return Frame._meta.pk.get_db_prep_value(value, connection)


def working_now(project: Project, user: User) -> FrameQuerySet:
    """Per person, the id of the open frame that was last active: the tip of an active path."""
    activity = Coalesce(F("last_event_at"), F("started_at"))
    # The workspace is said once more for the index of what is open in it.
    return (
        project.frames.visible_to(user)
        .active()
        .filter(workspace=project.workspace_id)
        .annotate(
            turn=Window(
                RowNumber(), partition_by=F("owner_id"), order_by=[activity.desc(), F("id").desc()]
            )
        )
        .filter(turn=1)
        .order_by()
        .values("pk")
    )


def family(frame: Frame, user: User, *, each_way: int = 8) -> tuple[list[Frame], list[Frame]]:
    """The frames above this one, root first, and those called beside it, in order, it included.

    One query. Of many siblings only the nearest are given.
    """
    frames = frame.project.frames.visible_to(user)
    beside = frames.filter(parent=frame.parent_id)
    at, key = frame.started_at, frame.pk
    # The bound in front is what an index can use.
    earlier = Q(started_at__lte=at) & (Q(started_at__lt=at) | Q(id__lt=key))
    later = Q(started_at__gte=at) & (Q(started_at__gt=at) | Q(id__gt=key))
    before = beside.filter(earlier).order_by("-started_at", "-id").values("pk")[:each_way]
    after = beside.filter(later).order_by("started_at", "id").values("pk")[:each_way]
    wanted = Q(pk__in=_chain(frame.workspace, [frame.pk])) | Q(pk__in=before) | Q(pk__in=after)
    near = list(frames.filter(wanted).only(*NAME_FIELDS).order_by("started_at", "id"))
    siblings = [one for one in near if one.parent_id == frame.parent_id]
    above = [one for one in near if one.parent_id != frame.parent_id]
    return sorted(above, key=lambda one: one.depth), siblings
