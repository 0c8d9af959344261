"""One call of a tool: who calls, and which project, session and frame are meant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from django.http import HttpRequest

from frames.calls import active_stack, open_session
from frames.incoming import plain
from frames.models import AgentSession, Frame, Project
from frames.reach import by_ref, find_frame, find_project, sessions_of, uuid_or_none
from stackmemory.lib.refusal import NotFound, Refusal
from stackmemory.mcp.choices import frames_to_choose, projects_to_choose, sessions_to_choose
from workspaces.actor import Actor

CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
LONGEST_SESSION = 200


class _Params(msgspec.Struct):
    meta: dict[str, Any] = msgspec.field(name="_meta", default_factory=dict)


class _Message(msgspec.Struct):
    params: _Params = msgspec.field(default_factory=_Params)


@dataclass(frozen=True)
class Call:
    request: HttpRequest

    @property
    def actor(self) -> Actor:
        actor: Actor = self.request.actor  # type: ignore[attr-defined]
        return actor

    @property
    def project_of_url(self) -> Project | None:
        """The project of /mcp/<project>."""
        project: Project | None = self.request.mcp_project  # type: ignore[attr-defined]
        return project

    def project(self, named: str, *, session: str = "") -> Project:
        """The project meant: named, of the URL, of the key, of the session, or the only one there is."""
        found = self.project_or_none(named)
        if found is None and session:
            run = sessions_of(self.actor).filter(by_ref(session)).order_by("-last_seen_at")
            latest = run.select_related("project").first()
            found = latest.project if latest else None
        if found is None:
            refusal = Refusal("project_needed", "Say which project is meant.", field="project")
            refusal.choices = projects_to_choose(self.actor)
            raise refusal
        return found

    def project_or_none(self, named: str) -> Project | None:
        """As `project`, or None for all of them where none is named and there are several."""
        url = self.project_of_url
        if url is not None and named in ("", url.slug, str(url.pk)):
            return url
        try:
            if url is not None:  # an address is for one project
                raise NotFound("project", field="project")
            return find_project(self.actor, named)
        except NotFound as refusal:
            if not named:
                return None
            refusal.choices = [url.slug] if url else projects_to_choose(self.actor)
            raise

    def open_session(self, ref: str, project: Project) -> AgentSession:
        """The session meant, made if it is new."""
        named = sessions_of(self.actor).filter(pk=uuid_or_none(ref)).first() if ref else None
        if named is not None:
            if named.project_id != project.pk:
                message = f"That session is of another project than “{project.slug}”."
                raise Refusal("invalid", message, field="session")
            return named
        own = ref or self.session_id
        known = sessions_of(self.actor).filter(project=project, source_id=own).exclude(client="")
        # A run that hooks report is theirs to name.
        client = "" if known.exists() else self.client
        return open_session(actor=self.actor, project=project, source_id=own, client=client)[0]

    def session_or_none(self, ref: str, project: Project | None) -> AgentSession | None:
        """The session meant. None where it is new: nothing has been put on its stack yet."""
        meant = by_ref(ref or self.session_id)
        sessions = sessions_of(self.actor).filter(meant).select_related("project")
        if project is not None:
            sessions = sessions.filter(project=project)
        return sessions.order_by("-last_seen_at").first()

    def named_session(self, ref: str, project: Project | None) -> AgentSession:
        session = self.session_or_none(ref, project)
        if session is None:
            refusal = NotFound("session", field="session")
            refusal.choices = sessions_to_choose(self.actor)
            raise refusal
        return session

    def frame(self, ref: str, *, project: str, session: str, lock: bool = False) -> Frame:
        """The frame named, or else the one on top of the session's stack."""
        if ref:
            return self.named_frame(ref, lock=lock)
        frame = self.top_frame(project=project, session=session)
        if frame is None:
            refusal = Refusal(
                "no_open_frame",
                "No frame is open in this session. Start one, or name one.",
                field="frame",
            )
            refusal.choices = frames_to_choose(self.actor, self.project_or_none(project))
            raise refusal
        return find_frame(self.actor, str(frame.pk), lock=True) if lock else frame

    def named_frame(self, ref: str, *, field: str = "frame", lock: bool = False) -> Frame:
        try:
            return find_frame(self.actor, ref, field=field, lock=lock)
        except NotFound as refusal:
            refusal.choices = frames_to_choose(self.actor, self.project_of_url)
            raise

    def top_frame(self, *, project: str, session: str) -> Frame | None:
        """What is being worked in."""
        meant = self.session_or_none(session, self.project_or_none(project))
        stack = active_stack(self.actor, meant) if meant else []
        return stack[-1] if stack else None

    @cached_property
    def session_id(self) -> str:
        """The run where none is named: the client's connection, or else its key and its name."""
        key = self.actor.key.public if self.actor.key else ""
        told = self.request.headers.get("Mcp-Session-Id", "")[:LONGEST_SESSION]
        return f"mcp:{key}:{plain(told) or self.client}"

    @cached_property
    def client(self) -> str:
        """The client's name, as this message or the id of its connection tells it."""
        told = self.request.headers.get("Mcp-Session-Id", "")
        if told:
            return plain(told[:LONGEST_SESSION]).rpartition(".")[0]
        try:
            message = msgspec.json.decode(self.request.body, type=_Message)
        except msgspec.MsgspecError:
            return ""
        info = message.params.meta.get(CLIENT_INFO)
        name = info.get("name") if isinstance(info, dict) else None
        return plain(name)[:100] if isinstance(name, str) else ""
