"""What the home and projects pages say of each project, and what needs someone's attention."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce, Left

from frames.models import AgentSession, Anchor, Frame, Project
from workspaces.models import User, Workspace

# Agents report every few minutes while they work.
LIVE = timedelta(minutes=15)
STUCK = timedelta(hours=24)
FAILED_SINCE = timedelta(days=14)


@dataclass(frozen=True)
class ProjectRow:
    project: Project
    open: int = 0
    closed: int = 0
    events: int = 0
    errors: int = 0
    last: datetime | None = None


def project_rows(workspace: Workspace, user: User) -> list[ProjectRow]:
    """Every project with its figures, the one with the latest activity first. Two queries."""
    figures = {
        row.pop("project"): row
        for row in Frame.objects.in_workspace(workspace)
        .visible_to(user)
        .order_by()
        .values("project")
        .annotate(
            total=Count("id"),
            open=Count("id", filter=Q(closed_at=None) & ~Q(state=Frame.CLOSED)),
            events=Sum("event_count"),
            errors=Sum("error_count"),
            last=Max(Coalesce("last_event_at", "closed_at", "started_at")),
        )
    }
    rows = []
    for project in workspace.projects.order_by("name"):
        project.workspace = workspace  # spares get_absolute_url a query each
        row = figures.get(project.id)
        if row is None:
            rows.append(ProjectRow(project))
            continue
        rows.append(
            ProjectRow(
                project,
                open=row["open"],
                closed=row["total"] - row["open"],
                events=row["events"],
                errors=row["errors"],
                last=row["last"],
            )
        )
    rows.sort(key=lambda row: row.last.timestamp() if row.last else 0, reverse=True)
    return rows


def latest_sessions(workspace: Workspace, user: User, *, limit: int) -> QuerySet[AgentSession]:
    """The sessions seen last, each with the frame it has open (`doing`) and what it was `about`."""
    doing = (
        Frame.objects.in_workspace(workspace)
        .visible_to(user)
        .active()
        .filter(session=OuterRef("id"))
        .order_by("-started_at")
    )
    return (
        AgentSession.objects.in_workspace(workspace)
        .select_related("user", "project")
        .annotate(doing=Subquery(doing.values("name")[:1]))
        .annotate(doing_id=Subquery(doing.values("id")[:1]))
        .annotate(about=session_topic(workspace, user))
        .order_by("-last_seen_at", "-id")[:limit]
    )


def session_topic(workspace: Workspace, user: User) -> Subquery:
    """The name of a session's outermost frame (the latest of several): what it was about."""
    frames = (
        Frame.objects.in_workspace(workspace)
        .visible_to(user)
        .filter(session=OuterRef("id"))
        .order_by("depth", "-started_at")
    )
    return Subquery(frames.values(words=Left("name", 400))[:1])


def is_live(session: AgentSession, now: datetime) -> bool:
    """Whether an agent is at work in it: not ended, and heard of lately."""
    return session.ended_at is None and session.last_seen_at > now - LIVE


def needs_attention(
    workspace: Workspace, user: User, now: datetime, *, limit: int
) -> QuerySet[Frame]:
    """Frames that failed lately (they hold errors), and those open for a day without an event."""
    quiet_since = now - STUCK
    stuck = (
        Q(closed_at=None, started_at__lt=quiet_since)
        & ~Q(state=Frame.CLOSED)
        & (Q(last_event_at=None) | Q(last_event_at__lt=quiet_since))
    )
    failed = Q(error_count__gt=0, started_at__gt=now - FAILED_SINCE)
    return (
        Frame.objects.in_workspace(workspace)
        .visible_to(user)
        .filter(stuck | failed)
        .select_related("project", "owner")
        .defer("inputs", "outputs", "digest_text", "digest", "metadata", "source")
        .annotate(at=Coalesce(F("last_event_at"), F("started_at")))
        .order_by("-at", "-id")[:limit]
    )


def latest_decisions(workspace: Workspace, user: User, *, limit: int) -> QuerySet[Anchor]:
    """Decisions and constraints that stand, newest first."""
    return (
        Anchor.objects.in_workspace(workspace)
        .visible_to(user)
        .standing()
        .filter(type__in=[Anchor.Type.DECISION, Anchor.Type.CONSTRAINT])
        .select_related("project")
        .defer("text", "metadata", "source")
        .annotate(words=Left("text", 400))
        .order_by("-noted_at", "-id")[:limit]
    )
