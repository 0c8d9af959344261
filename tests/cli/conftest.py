from __future__ import annotations

from typing import Any

import pytest

from tests.api.client import Api, key_for
from tests.cli.carrier import Carrier


@pytest.fixture
def admin(acme, alice) -> Api:
    return key_for(acme, alice, "read", "write", "admin")


@pytest.fixture
def agent(acme, bob) -> Api:
    return key_for(acme, bob, "read", "write")


@pytest.fixture
def carrier(monkeypatch: Any) -> Carrier:
    return Carrier(monkeypatch)


@pytest.fixture
def home(tmp_path: Any, monkeypatch: Any) -> Any:
    """An empty home of its own, so that nothing of this machine's is read or written."""
    for name in ("STACKMEMORY_URL", "STACKMEMORY_KEY", "STACKMEMORY_SPOOL", "XDG_CONFIG_HOME",
                 "XDG_STATE_HOME", "CLAUDE_CONFIG_DIR"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder
