"""Writing the sample into a workspace: once, in one transaction, by the doors everything uses."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from frames import partitions
from frames.ingest import NewEvent, append_events, count_activity, event_id
from frames.models import AgentSession, Anchor, Frame, Project, Task
from frames.sample.people import HOSTS, PEOPLE, PROJECTS
from frames.sample.script import Pin, Story
from frames.sample.stories import all_stories
from frames.sample.tasks import TASKS
from frames.sample.timing import Moment, Planned, last_moment, plan
from frames.signals import changed
from stackmemory.lib.uuid7 import derived
from workspaces.models import Membership, User, Workspace

SEED = 20


def load_sample(*, workspace: Workspace, owner: User, now: datetime | None = None) -> bool:
    """Fill the workspace with the sample, ending `now`; False where that was done before.

    `owner` plays one of the people. What is made is the same every time, save that it moves with
    `now`.
    """
    now = now or timezone.now()
    if "sample" in workspace.settings:
        return False
    first = now - timedelta(days=35)
    partitions.ensure({partitions.month_of(first), partitions.month_of(now)})
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=workspace.pk)
        if "sample" in workspace.settings:
            return False
        Writer(workspace, owner, now).write()
        workspace.settings["sample"] = now.isoformat()
        workspace.save(update_fields=["settings"])
        changed(workspace)
    return True


@dataclass
class Writer:
    workspace: Workspace
    owner: User
    now: datetime
    frames: list[Frame] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    by_key: dict[str, Anchor] = field(default_factory=dict)

    def write(self) -> None:
        self.people = people(self.workspace, self.owner)
        self.projects = {
            slug: Project.unscoped.create(
                workspace=self.workspace, slug=slug, name=name, repo_url=repo,
                aliases=[alias],
            )
            for slug, name, repo, alias in PROJECTS
        }  # fmt: skip
        self.sessions: list[AgentSession] = []
        for number, story in enumerate(sorted(all_stories(SEED), key=self.begins)):
            self.tell(number, story)
        AgentSession.unscoped.bulk_create(self.sessions)
        Frame.unscoped.bulk_create(self.frames, batch_size=200)
        Anchor.unscoped.bulk_create(self.anchors, batch_size=200)
        append_events(workspace=self.workspace, rows=self.events)
        started = [(frame.project_id, frame.started_at) for frame in self.frames]
        count_activity(self.workspace, frames=started)
        self.write_tasks()

    def begins(self, story: Story) -> datetime:
        """A working day's hour (weekends move to the Friday before), or so many minutes ago."""
        if story.minutes is not None:
            return self.now - timedelta(minutes=story.minutes)
        day = self.now - timedelta(days=story.days)
        day -= timedelta(days=max(0, day.weekday() - 4))
        return day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(hours=story.hour)

    def tell(self, number: int, story: Story) -> None:
        dice = random.Random(f"{SEED} {number} {story.branch}")
        roots = plan(story, dice)
        length = timedelta(seconds=last_moment(roots))
        start = self.begins(story)
        if story.minutes is not None or start + length > self.now:
            # `minutes` says when it was last heard of; nothing happens after now.
            start = min(start, self.now) - length
        session = AgentSession(
            id=self.id(start, f"session {number}"),
            workspace=self.workspace,
            project=self.projects[story.project],
            user=self.people[story.who],
            client=story.client,
            branch=story.branch,
            host=HOSTS[story.who],
            started_at=start,
            last_seen_at=start + length,
            ended_at=None if story.is_open else start + length,
            source_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        )
        self.sessions.append(session)
        for root in roots:
            self.frame(root, session, None)

    def frame(self, planned: Planned, session: AgentSession, parent: Frame | None) -> Frame:
        work, started = planned.work, session.started_at + timedelta(seconds=planned.start)
        key = self.id(started, f"frame {len(self.frames)}")
        closed = (
            None if planned.end is None else session.started_at + timedelta(seconds=planned.end)
        )
        frame = Frame(
            id=key,
            workspace=self.workspace,
            project=session.project,
            session=session,
            parent=parent,
            root_id=parent.root_id if parent else key,
            depth=planned.depth,
            type=work.type,
            name=work.name,
            state=Frame.ACTIVE if closed is None else Frame.CLOSED,
            owner=session.user,
            visibility=Frame.Visibility.PRIVATE if work.private else Frame.Visibility.TEAM,
            inputs=work.inputs,
            outputs=work.outputs,
            digest_text=work.digest,
            digest=planned.digest() if closed else {},
            started_at=started,
            closed_at=closed,
            child_count=len(planned.children),
            anchor_count=sum(m.pin is not None for m in planned.moments),
        )
        self.frames.append(frame)
        for seq, moment in enumerate(planned.moments, 1):
            self.event(seq, moment, frame, session)
        for child in planned.children:
            self.frame(child, session, frame)
        return frame

    def event(self, seq: int, moment: Moment, frame: Frame, session: AgentSession) -> None:
        at = session.started_at + timedelta(milliseconds=round(moment.at * 1000))
        payload = dict(moment.payload)
        if moment.pin:
            payload["anchor_id"] = str(self.anchor(moment.pin, frame, at).id)
        if moment.tool:
            payload["timestamp"] = round(at.timestamp() * 1000)
        self.events.append(
            NewEvent(
                id=event_id(self.workspace, f"sample {len(self.events)}", at, seq),
                project_id=frame.project_id,
                frame_id=frame.id,
                session_id=session.id,
                type=moment.type,
                occurred_at=at,
                payload=json.dumps(payload, ensure_ascii=False),
                seq=seq,
                tool=moment.tool,
                is_error=moment.failed,
            )
        )

    def anchor(self, pin: Pin, frame: Frame, at: datetime) -> Anchor:
        anchor = Anchor(
            id=self.id(at, f"anchor {len(self.anchors)}"),
            workspace=self.workspace,
            project_id=frame.project_id,
            frame=frame,
            type=pin.type,
            text=pin.text,
            priority=pin.priority,
            pinned=pin.pinned,
            noted_at=at,
        )
        # The new one is written first, or the old would point at a row that is not there yet.
        self.anchors.insert(0, anchor)
        if pin.key:
            self.by_key[pin.key] = anchor
        if pin.replaces:
            old = self.by_key[pin.replaces]
            old.superseded_by, old.superseded_at = anchor, at
        return anchor

    def write_tasks(self) -> None:
        made: dict[str, Task] = {}
        roots = {(frame.project.slug, frame.name): frame for frame in self.frames}
        for number, given in enumerate(TASKS):
            fields: dict[str, Any] = dict(given)
            at = self.now - timedelta(days=fields.pop("days"), hours=number % 7)
            project = fields.pop("project")
            name = fields.pop("frame", None)
            key = fields.pop("key", "")
            after = [str(made[k].id) for k in fields.pop("after", ())]
            took = fields.pop("took_days", None)
            task = Task(
                id=self.id(at, f"task {number}"),
                workspace=self.workspace,
                project=self.projects[project],
                frame=roots[project, name] if name else None,
                depends_on=after,
                opened_at=at,
                started_at=None if fields["status"] == "pending" else at + timedelta(hours=3),
                completed_at=None if took is None else at + timedelta(days=took, hours=4),
                **fields,
            )
            made[key or str(number)] = task
        Task.unscoped.bulk_create(made.values())

    def id(self, at: datetime, what: str) -> uuid.UUID:
        return derived(at, str(self.workspace.id), "sample", what)


def people(workspace: Workspace, owner: User) -> dict[str, User]:
    """The cast by nickname. They cannot log in; the owner plays `me`."""
    cast = {"me": owner}
    for nickname, email, name, role in PEOPLE:
        user = User.objects.filter(email=email).first()
        cast[nickname] = user or User.objects.create_user(email, name=name)
        Membership.unscoped.get_or_create(
            workspace=workspace, user=cast[nickname], defaults={"role": role}
        )
    return cast
