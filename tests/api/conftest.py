"""Keys to call the API with: `agent` writes in acme, `reader` reads, `admin` administers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Api, key_for


@pytest.fixture
def agent(acme, bob) -> Api:
    """A key of bob, who is a member, with the scopes agents get."""
    return key_for(acme, bob, "read", "write")


@pytest.fixture
def reader(acme, bob) -> Api:
    return key_for(acme, bob, "read")


@pytest.fixture
def admin(acme, alice) -> Api:
    return key_for(acme, alice, "read", "write", "admin")


@pytest.fixture
def stranger(globex, charlie) -> Api:
    """A key of another team that may do everything there."""
    return key_for(globex, charlie, "read", "write", "admin")


@pytest.fixture
def shop(agent) -> dict[str, Any]:
    """A project of acme, as the API shows it."""
    return agent.post("projects", {"name": "Shop"}).json()


@pytest.fixture
def frame(agent, shop) -> dict[str, Any]:
    return agent.post("frames", {"name": "Fix the till", "project": "shop"}).json()


Make = Callable[..., Api]
