"""doctor and status: what is right, what is wrong, and what would mend it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from frames.snippets import claude_settings
from stackmemory.cli import account, doctor, hooks, main, status
from stackmemory.cli.account import Account
from stackmemory.cli.server import Server
from stackmemory.cli.talk import Problem
from tests.api.client import key_for, ok
from tests.cli.carrier import URL, Carrier
from workspaces.limits import set_limit
from workspaces.models import LimitName, Membership

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(home: Path) -> Path:
    folder = home / "shop" / "src"
    (folder.parent / ".git").mkdir(parents=True)
    folder.mkdir()
    return folder


def findings(carrier: Carrier, caller: Any, cwd: Path, url: str = URL) -> dict[str, list[Any]]:
    """What doctor finds, by name."""
    server = Server(url, caller.text, send=carrier.send, sleep=lambda _: None, patience=0)
    found: dict[str, list[Any]] = {}
    for each in doctor.examine(Account(url, caller.text, "a test"), server, cwd=cwd):
        found.setdefault(each.name, []).append(each)
        assert each.line()
    return found


def states(found: dict[str, list[Any]]) -> dict[str, set[str]]:
    return {name: {each.state for each in group} for name, group in found.items()}


def install(folder: Path, url: str = URL) -> Path:
    """The hook script's settings, as it writes them."""
    script = folder / "stackmemory-hook.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_bytes((Path(hooks.__file__).parent.parent / "hook_script.py").read_bytes())
    command = [sys.executable, str(script), "install", "--url", url, "--key", "sm_x"]
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return script


def test_all_is_well(agent, carrier, shop, home):
    install(home)
    ok(agent.post("projects", {"name": "Shop"}), 201)
    found = findings(carrier, agent, shop)
    assert set().union(*states(found).values()) == {"ok"}
    assert list(found) == [
        "address", "TLS", "key", "scopes", "project", "clock", "hooks", "spool",
    ]  # fmt: skip
    assert "bob@example.com" in found["key"][0].text
    assert agent.text not in str(found)


def test_what_is_wrong_with_the_key_is_said(acme, bob, viola, agent, carrier, shop):
    strange = key_for(acme, bob, "read", "write", expires_at=timezone.now() - timedelta(days=1))
    assert findings(carrier, strange, shop)["key"][0].state == "wrong"
    reading = findings(carrier, key_for(acme, viola, "read", "write"), shop)["scopes"][0]
    assert (reading.state, "may not write" in reading.text) == ("wrong", True)
    project = acme.projects.create(slug="gone", name="Gone")
    tied = key_for(acme, bob, "read", "write", project_id=project.pk)
    project.delete()
    assert findings(carrier, tied, shop)["project"][0].state == "wrong"
    set_limit(acme, LimitName.EVENTS, 0)
    assert findings(carrier, agent, shop)["quota"][0].state == "wrong"
    Membership.unscoped.filter(user=bob).delete()
    assert findings(carrier, agent, shop)["key"][0].state == "wrong"


def test_a_clock_that_is_off_is_noticed(agent, carrier, shop, monkeypatch):
    import time

    now = time.time
    for hours, state in ((1, "note"), (-1, "note"), (40, "wrong")):
        monkeypatch.setattr(doctor.time, "time", lambda h=hours: now() + h * 3600)
        [found] = findings(carrier, agent, shop)["clock"]
        assert found.state == state
        assert ("ahead" in found.text) == (hours > 0)


def test_an_address_that_is_none_or_unencrypted(agent, carrier, home):
    for url in ("", "memory.example.com", f"{URL}/w/acme", "ftp://x"):
        found = findings(carrier, agent, home, url)
        assert [each.state for each in found["address"]] == ["wrong"]
        assert "key" not in found
    carrier.lose = lambda method, path: "request"
    assert findings(carrier, agent, home)["address"][0].mend
    carrier.lose = lambda method, path: ""
    send, carrier.send = (
        carrier.send,
        lambda m, a, *rest: send(m, a.replace("http:", "https:"), *rest),
    )
    assert states(findings(carrier, agent, home, URL.replace("https", "http")))["TLS"] == {"note"}


def test_hooks_are_looked_for_where_claude_code_does(agent, carrier, shop, home):
    assert findings(carrier, agent, shop)["hooks"][0].state == "note", "none at all"
    script = install(home, "https://other.example.com")
    [fine, elsewhere] = findings(carrier, agent, shop)["hooks"]
    assert (fine.state, elsewhere.state) == ("ok", "note")
    assert "https://other.example.com" in elsewhere.text
    script.unlink()
    assert "not there" in findings(carrier, agent, shop)["hooks"][0].text
    settings = home / ".claude/settings.json"
    settings.write_text(json.dumps(claude_settings(URL, "sm_x")))
    assert states(findings(carrier, agent, shop))["hooks"] == {"ok"}
    own = shop.parent / ".claude/settings.local.json"
    own.parent.mkdir()
    own.write_text(json.dumps({"disableAllHooks": True, **claude_settings(URL, "sm_x")}))
    assert states(findings(carrier, agent, shop))["hooks"] == {"ok", "wrong", "note"}
    fewer = claude_settings(URL, "sm_x")
    del fewer["hooks"]["Stop"]
    own.write_text(json.dumps(fewer))
    assert "lacks Stop" in str(findings(carrier, agent, shop)["hooks"])
    settings.write_text("{ // mine\n}")
    assert "cannot be read" in findings(carrier, agent, shop)["hooks"][0].text
    (home / ".local/state/stackmemory/account.json").chmod(0o644)
    assert "others on this machine" in str(findings(carrier, agent, shop)["hooks"])


def test_what_waits_in_the_spool_is_counted(agent, carrier, shop, home):
    spool = home / ".local/state/stackmemory"
    spool.mkdir(parents=True)
    lines = [json.dumps({"at": f"2026-01-0{n}T00:00:00+00:00", "hook": {}}) for n in (1, 2, 3)]
    (spool / "abc.jsonl").write_text("\n".join(lines) + "\n")
    (spool / "abc.sent").write_text(str(len(lines[0]) + 1))
    [found] = findings(carrier, agent, shop)["spool"]
    assert (found.state, found.text) == (
        "note", "2 hooks wait to be sent, since 2026-01-02T00:00:00+00:00"
    )  # fmt: skip


def test_status_tells_who_what_and_what_last(acme, agent, carrier, shop):
    server = carrier.server(agent)
    assert "No project" in " ".join(status.lines(status.gather(server, cwd=shop)))
    ok(agent.post("projects", {"name": "Shop"}), 201)
    assert "Nobody has worked" in " ".join(status.lines(status.gather(server, cwd=shop)))
    run = {"client": "claude-code", "branch": "main", "source_id": "run"}
    session = ok(agent.post("sessions", run), 201)["id"]
    for name in ("Outer", "Inner"):
        frame = ok(agent.post("frames", {"name": name, "session": session}), 201)["id"]
    for number in range(8):
        ok(agent.post("events", {"frame": frame, "type": f"note-{number}"}), 201)
    carrier.asked = []
    told = status.gather(server, cwd=shop)
    assert len(carrier.asked) == 5
    assert [each["name"] for each in told["stack"]] == ["Outer", "Inner"]
    assert [each["type"] for each in told["events"]] == [f"note-{n}" for n in (7, 6, 5, 4, 3)]
    mirrored = {"path": "/shop/context.db", "server": URL, "at": 1.0, "behind_since": 1.0}
    text = "\n".join(status.lines(told | {"mirrors": [mirrored]}))
    assert f"Mirror of /shop/context.db to {URL}: not running, behind by" in text
    assert "bob@example.com in acme" in text
    assert "claude-code on main, going on, seen just now" in text


def test_an_account_is_found_in_order_and_a_key_goes_to_no_other_server(home, monkeypatch):
    assert account.find(None, None) == Account("", "", "")
    account.write(account.state_folder() / "account.json", {"url": URL, "key": "hooks"})
    assert account.find(None, None).key == "hooks"
    account.write(account.config_file(), {"url": f"{URL}/", "key": "config"})
    assert stat.S_IMODE(account.config_file().stat().st_mode) == 0o600
    assert account.find(None, None) == Account(URL, "config", str(account.config_file()))
    assert account.find("https://evil.example.com", None).key == ""
    monkeypatch.setenv("STACKMEMORY_KEY", "environment")
    assert account.find(None, None).key == "environment"
    assert account.find(None, "option").key == "option"
    with pytest.raises(Problem, match="stackmemory login"):
        account.needed(Account(URL, "", ""))


def test_the_command_itself(home, agent, carrier, shop, monkeypatch, capsys):
    """From the arguments to what is printed and the exit code."""
    monkeypatch.chdir(shop)
    make = lambda url, key, **_: Server(url, key, send=carrier.send, patience=0)  # noqa: E731
    monkeypatch.setattr(main, "Server", make)
    assert main.main(["status"]) == 2
    assert "stackmemory login" in capsys.readouterr().err
    assert main.main(["login", "--to", URL, "--key", agent.text]) == 0
    assert main.main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["workspace"], told["project"]) == ("acme", None)
    assert main.main(["doctor"]) == 0
    assert "WRONG" not in capsys.readouterr().out
    assert main.main(["doctor", "--json", "--key", "sm_wrong"]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == "wrong"
    assert main.main(["login", "--to", URL, "--key", "sm_wrong", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["status"] == "error"
    assert account.find(None, None).key == agent.text, "what worked is not forgotten"


def test_status_says_what_waits_here_where_nobody_answers(agent, carrier, home, shop, capsys):
    carrier.lose = lambda method, path: "request"
    mirrors = home / ".local" / "state" / "stackmemory" / "mirrors"
    account.write(
        mirrors / "x.json", {"path": "/s/context.db", "server": URL, "at": 0, "behind_since": 0}
    )
    told = status.gather(carrier.server(agent, patience=1), cwd=shop)
    said = " ".join(status.lines(told))
    assert "does not answer" in said
    assert "Nothing waits to be sent. Mirror of /s/context.db" in said
