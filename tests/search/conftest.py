"""Workspaces with something to find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from frames import calls
from frames.anchoring import add_anchor
from frames.appending import EventIn, append_batch
from frames.models import Frame, Project
from search.embedders import embedder
from search.embedding import embed_all
from search.indexing import reindex
from stackmemory.lib.tenancy import workspace_scope
from workspaces.access import PERMISSIONS
from workspaces.actor import Actor
from workspaces.models import User, Workspace


@pytest.fixture(autouse=True)
def by_words_alone(settings: Any) -> Any:
    """Without the model, unless a test asks for `with_meaning`."""
    settings.EMBEDDINGS = "none"
    embedder.cache_clear()
    yield
    embedder.cache_clear()


@pytest.fixture
def with_meaning(settings: Any, by_words_alone: None) -> None:
    settings.EMBEDDINGS = "local"
    embedder.cache_clear()


def acting(workspace: Workspace, user: User | None, role: str = "owner") -> Actor:
    return Actor(workspace, user, PERMISSIONS[role])


class Store:
    """Somebody's work in a project: frames, messages, anchors, found once `ready()`."""

    def __init__(self, actor: Actor, slug: str = "shop") -> None:
        self.actor = actor
        self.project, _ = Project.unscoped.get_or_create(
            workspace=actor.workspace, slug=slug, defaults={"name": slug.title()}
        )

    def frame(self, name: str, **given: Any) -> Frame:
        with workspace_scope(self.actor.workspace.pk):
            frame, _ = calls.start_frame(actor=self.actor, project=self.project, name=name, **given)
        return frame

    def say(self, frame: Frame, *texts: str, type: str = "user_message", **given: Any) -> None:
        events = [EventIn(str(frame.pk), type, {"content": text}, **given) for text in texts]
        with workspace_scope(self.actor.workspace.pk):
            answers = append_batch(actor=self.actor, events=events)
        assert {answer.outcome for answer in answers} == {"created"}

    def anchor(self, text: str, type: str = "FACT", **given: Any) -> Any:
        with workspace_scope(self.actor.workspace.pk):
            anchor, _ = add_anchor(
                actor=self.actor, project=self.project, text=text, type=type, **given
            )
        return anchor

    def ready(self) -> None:
        reindex(workspace=self.actor.workspace)
        if model := embedder():
            embed_all(workspace=self.actor.workspace, model=model)


@pytest.fixture
def shop(acme: Workspace, alice: User) -> Store:
    return Store(acting(acme, alice))


@pytest.fixture
def store_of() -> Callable[..., Store]:
    """store_of(user, workspace, "slug") is somebody's work."""
    return lambda user, workspace, slug="shop": Store(acting(workspace, user), slug)
