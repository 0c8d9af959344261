"""Fifty workspaces for bench/api, one of them large: run with DATABASE_URL set, prints what to ask."""

from __future__ import annotations

import argparse
import json
import random
from datetime import timedelta
from typing import Any

import django

TEAMS = 50
EVENTS = 100  # of a frame
STACK = 4  # frames open at once in a session that is going on
FRAMES = 20  # of a session
KEYS = 20
LONG_AGO = timedelta(days=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, required=True, help="of the large workspace")
    events = parser.parse_args().events
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    small = events // 200 // EVENTS * EVENTS
    for number in range(TEAMS - 1):
        Team(f"team-{number}", small).fill()
    print(json.dumps(Team("large", events).fill()))


class Team:
    """A workspace with sessions of nested frames over two months, anchors and tasks."""

    def __init__(self, slug: str, events: int) -> None:
        from django.utils import timezone

        from workspaces.provision import create_workspace

        self.events, self.chance = events, random.Random(slug)
        made = create_workspace(slug=slug, name=slug, owner_email=f"{slug}@example.com")
        self.workspace, self.owner = made.workspace, made.owner
        self.now = timezone.now()
        self.rows: list[Any] = []

    def fill(self) -> dict[str, Any]:
        from frames.models import AgentSession, Anchor, Frame, Project, Task
        from stackmemory.lib.tenancy import workspace_scope
        from stackmemory.lib.uuid7 import uuid7
        from workspaces import api_keys

        frames = max(self.events // EVENTS, FRAMES)
        with workspace_scope(self.workspace.id):
            keys = [
                api_keys.create(
                    workspace=self.workspace, name=f"key {n}", scopes=["read", "write"],
                    actor=self.owner,
                )[1]
                for n in range(KEYS if frames > 1000 else 1)
            ]  # fmt: skip
            projects = Project.unscoped.bulk_create(
                Project(workspace=self.workspace, slug=f"app-{n}", name=f"App {n}")
                for n in range(5)
            )
            sessions, made, anchors = [], [], []
            for number in range(frames // FRAMES):
                began = self.now - LONG_AGO + LONG_AGO * number * FRAMES / frames
                live = number >= frames // FRAMES - 50
                session = AgentSession(
                    id=uuid7(), workspace=self.workspace, project=projects[number % 5],
                    user=self.owner, client="claude-code", source_id=f"run-{number}",
                    started_at=began, last_seen_at=began, ended_at=None if live else began,
                )  # fmt: skip
                sessions.append(session)
                made += self._frames(session, live)
            AgentSession.unscoped.bulk_create(sessions, batch_size=500)
            Frame.unscoped.bulk_create(made, batch_size=500)
            anchors = [
                Anchor(
                    id=uuid7(), workspace=self.workspace, project_id=frame.project_id, frame=frame,
                    type=self.chance.choice(["DECISION", "FACT", "RISK"]), text=self._words(15),
                    priority=self.chance.randrange(11),
                )
                for frame in made[::5]
            ]  # fmt: skip
            Anchor.unscoped.bulk_create(anchors, batch_size=500)
            Task.unscoped.bulk_create(
                [
                    Task(
                        workspace=self.workspace, project=projects[n % 5], title=self._words(6),
                        status=self.chance.choice(["pending", "in_progress", "completed"]),
                    )
                    for n in range(frames // 10)
                ],
                batch_size=500,
            )  # fmt: skip
        self._append(made)
        return {
            "keys": keys,
            "frames": [str(frame.pk) for frame in self.chance.sample(made, min(2000, len(made)))],
            "live": [str(session.pk) for session in sessions[-50:]],
            "sessions": [
                str(each.pk) for each in self.chance.sample(sessions, len(sessions))[:500]
            ],
        }

    def _frames(self, session: Any, live: bool) -> list[Any]:
        """Frames of one run: stacks of four, the last of them open where the run goes on."""
        from frames.models import Frame
        from stackmemory.lib.uuid7 import uuid7

        made: list[Any] = []
        for number in range(FRAMES):
            parent = made[-1] if number % STACK else None
            id_ = uuid7()
            started = session.started_at + timedelta(minutes=number)
            is_open = live and number >= FRAMES - STACK
            made.append(
                Frame(
                    id=id_, root_id=parent.root_id if parent else id_, parent=parent,
                    depth=number % STACK, workspace=self.workspace, project=session.project,
                    session=session, owner=self.owner, name=self._words(5), started_at=started,
                    state="active" if is_open else "closed",
                    closed_at=None if is_open else started + timedelta(minutes=1),
                    digest_text="" if is_open else self._words(40),
                    child_count=int(number % STACK < STACK - 1),
                )
            )  # fmt: skip
        return made

    def _append(self, frames: list[Any]) -> None:
        from frames import partitions
        from frames.ingest import NewEvent, append_events, event_id
        from stackmemory.lib.tenancy import workspace_scope

        partitions.ensure({partitions.month_of(frame.started_at) for frame in frames})
        rows = []
        for frame in frames:
            for seq in range(EVENTS):
                at = frame.started_at + timedelta(milliseconds=seq * 500)
                text = self._words(self.chance.randrange(10, 130))
                rows.append(
                    NewEvent(
                        id=event_id(self.workspace, f"{frame.pk}/{seq}", at, seq),
                        project_id=frame.project_id, frame_id=frame.pk,
                        session_id=frame.session_id, occurred_at=at, seq=seq,
                        type="tool_result" if seq % 2 else "tool_call", tool="edit",
                        payload=json.dumps({"tool_name": "edit", "arguments": {"text": text}}),
                    )
                )  # fmt: skip
            if len(rows) >= 5000 or frame is frames[-1]:
                with workspace_scope(self.workspace.id):
                    append_events(workspace=self.workspace, rows=rows)
                rows = []

    def _words(self, number: int) -> str:
        return " ".join(self.chance.choices(WORDS, k=number))


WORDS = """the cache of a session is read before its frame closes and what was decided stays with
    the team so that a parser which fails on one token can be fixed without asking who wrote it
""".split()  # noqa: SIM905

if __name__ == "__main__":
    main()
