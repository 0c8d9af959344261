"""The same work that search is tested with, and a run in it."""

from __future__ import annotations

from typing import Any

import pytest

from frames import calls
from search.context.compile import compile_context, items_of
from stackmemory.lib.tenancy import workspace_scope
from tests.search.conftest import Store, acting, by_words_alone, shop, store_of, with_meaning

__all__ = ["acting", "by_words_alone", "shop", "store_of", "with_meaning"]


class Run:
    """A run of somebody's agent."""

    def __init__(self, store: Store, name: str = "run-1") -> None:
        self.store, self.actor = store, store.actor
        with workspace_scope(self.actor.workspace.pk):
            self.session, _ = calls.open_session(
                actor=self.actor, project=store.project, source_id=name
            )

    def begin(self, name: str, **given: Any) -> Any:
        return self.store.frame(name, session=self.session, **given)

    def end(self, frame: Any, result: str = "", **given: Any) -> None:
        frame.refresh_from_db()
        with workspace_scope(self.actor.workspace.pk):
            calls.close_frame(actor=self.actor, frame=frame, result=result or None, **given)

    def given(self, query: str = "", actor: Any = None, **more: Any) -> Any:
        """The bundle compiled for it."""
        actor = actor or self.actor
        with workspace_scope(actor.workspace.pk):
            return compile_context(
                actor=actor, project=self.store.project, session=self.session, query=query, **more
            )


@pytest.fixture
def run(shop: Store) -> Run:
    return Run(shop)


@pytest.fixture
def run_of() -> Any:
    """run_of(store, "name") is another run."""
    return Run


def sections(bundle: Any) -> list[str]:
    """In the order they are given, each once."""
    return list(dict.fromkeys(item.section for item in items_of(bundle)))


def texts(bundle: Any, section: str) -> list[str]:
    return [item.text for item in items_of(bundle) if item.section == section]
