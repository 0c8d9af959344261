"""The connect page: client, key, what to paste, waiting, green."""

from __future__ import annotations

import html
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from frames import snippets
from frames.models import Project
from stackmemory import hook_script
from tests.pages import few_queries, make_project, make_session
from workspaces import api_keys
from workspaces.models import ApiKey, User, Workspace

SCHEMA = Path(__file__).parent.parent.parent / "shared/claude-code/claude-code-settings.schema.json"
PAGE, KEY, STATUS = "/w/acme/connect/", "/w/acme/connect/key/", "/w/acme/connect/status/"
SERVER, TEXT = "https://memory.example.com", "sm_0123456789_" + "a" * 38

Login = Callable[[User], Client]


def texts(page: str) -> list[str]:
    return [
        html.unescape(text) for text in re.findall(r"data-snippet>(.*?)</pre>", page, re.DOTALL)
    ]


def make_key(browser: Client, **fields: str) -> tuple[ApiKey, str]:
    """Make a key as a person does; it and its page."""
    response = browser.post(KEY, {"client": "claude-code", "name": "laptop", **fields})
    assert response.status_code == 201
    return ApiKey.unscoped.get(), response.content.decode()


# --- what is to be pasted -------------------------------------------------------------------


@pytest.mark.parametrize("client", [each.slug for each in snippets.CLIENTS])
def test_every_client_has_something_to_paste_with_address_and_key(client: str) -> None:
    found = snippets.snippets(client, url=SERVER, key=TEXT)
    assert found
    for snippet in found:
        assert SERVER in snippet.text
        assert TEXT in snippet.text
        if snippet.kind == "json":
            json.loads(snippet.text)
        elif snippet.kind == "toml":
            tomllib.loads(snippet.text)
        else:
            subprocess.run(["bash", "-n"], input=snippet.text.encode(), check=True)


def test_mcp_files_have_the_form_each_client_reads() -> None:
    def first(client: str) -> str:
        return snippets.snippets(client, url=SERVER, key=TEXT)[0].text

    headers = {"Authorization": f"Bearer {TEXT}"}
    server = {"url": f"{SERVER}/mcp", "headers": headers}
    assert json.loads(first("cursor")) == {"mcpServers": {"stackmemory": server}}
    assert json.loads(first("vscode")) == {"servers": {"stackmemory": {"type": "http", **server}}}
    assert tomllib.loads(first("codex")) == {
        "mcp_servers": {"stackmemory": {"url": f"{SERVER}/mcp", "http_headers": headers}}
    }


def test_settings_report_every_event_and_never_wait_long() -> None:
    settings = snippets.claude_settings(SERVER, TEXT)
    assert set(settings) == {"hooks"}
    assert {"SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure",
            "SubagentStart", "SubagentStop", "PreCompact", "Stop", "SessionEnd"} <= set(
        settings["hooks"]
    )  # fmt: skip
    for event, matchers in settings["hooks"].items():
        [hook] = matchers[0]["hooks"]
        assert 0 < hook["timeout"] <= 10
        # HTTP hooks are not there at the start of a session in some versions
        assert hook["type"] == ("command" if event == "SessionStart" else "http")
        assert "allowedEnvVars" not in hook or "$" in json.dumps(hook["headers"])
    start = settings["hooks"]["SessionStart"][0]["hooks"][0]["command"]
    assert start.endswith("|| true")  # a failure is not the client's


@pytest.mark.skipif(not SCHEMA.exists(), reason="the client's schema is not part of the repository")
def test_settings_are_valid_by_the_client_s_own_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    validator.validate(snippets.claude_settings(SERVER, TEXT))
    validator.validate({"hooks": hook_script.hooks("python3 x.py")})
    with pytest.raises(jsonschema.ValidationError):  # it does look
        validator.validate({"hooks": {"Stop": [{"hooks": [{"type": "http"}]}]}})


def test_the_command_that_installs_is_served_what_it_fetches(alice: User) -> None:
    command = snippets.snippets("claude-code", url=SERVER, key=TEXT)[0].text
    path = re.search(rf"{SERVER}(/\S+\.py)", command)[1]
    response = Client().get(path)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/x-python")
    assert b"def install(" in response.content
    again = Client().get(path, headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304


# --- the page ---------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [*(each.slug for each in snippets.CLIENTS), "nonsense"])
def test_the_page_shows_each_client(client: str, alice: User, login: Login) -> None:
    response = login(alice).get(PAGE, {"client": client})
    assert response.status_code == 200
    assert all("YOUR_KEY" in text for text in texts(response.content.decode()))


def test_a_key_is_made_and_shown_where_it_is_pasted_this_once(alice: User, login: Login) -> None:
    browser = login(alice)
    key, page = make_key(browser)
    assert key.scopes == ["read", "write"]
    assert key.created_by == alice
    shown = set(api_keys.PATTERN.findall(page))
    assert shown == {key.public}
    text = api_keys.PATTERN.search(page)[0]
    assert all(text in snippet for snippet in texts(page))
    assert api_keys.authenticate(text) == key
    later = browser.get(PAGE, {"key": str(key.pk)}).content.decode()
    assert not api_keys.PATTERN.search(later)
    assert key.name in later


def test_a_key_may_be_tied_to_a_project(alice: User, acme: Workspace, login: Login) -> None:
    project = make_project(acme)
    key, _ = make_key(login(alice), project=str(project.pk))
    assert key.project_id == project.pk


def test_another_workspace_s_project_and_key_are_nobody_s(
    alice: User, charlie: User, globex: Workspace, login: Login
) -> None:
    theirs = make_project(globex)
    browser = login(alice)
    response = browser.post(KEY, {"client": "cursor", "name": "x", "project": str(theirs.pk)})
    assert response.status_code == 422
    key, _ = api_keys.create(workspace=globex, name="theirs", scopes=["write"], actor=charlie)
    page = browser.get(PAGE, {"key": str(key.pk)}).content.decode()
    assert "theirs" not in page
    assert str(key.pk) not in page


def test_a_key_without_a_name_is_not_made(alice: User, login: Login) -> None:
    assert login(alice).post(KEY, {"client": "cursor", "name": " "}).status_code == 422
    assert not ApiKey.unscoped.exists()


def test_who_may_not_make_keys_is_told_whom_to_ask(bob: User, viola: User, login: Login) -> None:
    page = login(bob).get(PAGE)
    assert page.status_code == 200
    assert "Ask an owner or admin" in page.content.decode()
    assert login(bob).post(KEY, {"client": "cursor", "name": "x"}).status_code == 403
    assert login(viola).get(PAGE).status_code == 403
    assert "/connect/" not in login(viola).get("/w/acme/").content.decode()


def test_hostile_names_stay_text(alice: User, acme: Workspace, login: Login) -> None:
    make_project(acme, slug="x", name="<script>alert(1)</script>")
    api_keys.create(workspace=acme, name="<img src=x>", scopes=["write"], actor=alice)
    page = login(alice).get(PAGE, {"client": '"><b>', "since": "9" * 400}).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert '"><b>' not in page


def test_the_page_makes_few_queries_with_many_keys(
    alice: User, acme: Workspace, login: Login
) -> None:
    browser = login(alice)
    for number in range(30):
        api_keys.create(workspace=acme, name=f"key {number}", scopes=["write"], actor=alice)
        make_project(acme, slug=f"p{number}")
    key = ApiKey.unscoped.first()
    browser.get(PAGE)
    with few_queries():
        browser.get(PAGE, {"key": str(key.pk)})
    with few_queries(8):
        browser.get(STATUS, {"key": str(key.pk)})


# --- waiting … green --------------------------------------------------------------------------


def since(page: str) -> dict[str, str]:
    """What the page asks for while it waits."""
    address = html.unescape(re.search(r'data-arrival="([^"]+)"', page)[1])
    return dict(part.split("=") for part in address.partition("?")[2].split("&"))


def hook(text: str, **fields: Any) -> Any:
    body = {
        "session_id": "s1",
        "cwd": "/home/dev/shop",
        "hook_event_name": "SessionStart",
        **fields,
    }
    return Client().post(
        "/api/v1/hooks/claude-code", json.dumps(body), content_type="application/json",
        headers={"Authorization": f"Bearer {text}"},
    )  # fmt: skip


def test_it_turns_green_when_the_first_event_arrives(alice: User, login: Login) -> None:
    browser = login(alice)
    _, page = make_key(browser)
    asked = since(page)
    assert browser.get(STATUS, asked).json()["state"] == "waiting"

    assert hook(api_keys.PATTERN.search(page)[0]).status_code == 200

    answer = browser.get(STATUS, asked).json()
    assert answer["state"] == "green"
    assert "shop" in answer["text"]
    assert browser.get(answer["url"]).status_code == 200
    # and without a script, by looking again
    reloaded = browser.get(PAGE, asked).content.decode()
    assert 'data-state="green"' in reloaded
    assert answer["url"] in reloaded


def test_a_client_without_hooks_is_green_with_its_first_call(alice: User, login: Login) -> None:
    browser = login(alice)
    _, page = make_key(browser, client="cursor")
    asked = since(page)
    text = api_keys.PATTERN.search(page)[0]
    assert browser.get(STATUS, asked).json()["state"] == "waiting"
    Client().get("/api/v1/me", headers={"Authorization": f"Bearer {text}"})
    assert browser.get(STATUS, asked).json()["state"] == "green"
    # for one with hooks that is half the way
    assert browser.get(STATUS, asked | {"client": "claude-code"}).json()["state"] == "reached"


def test_what_was_there_before_or_is_others_turns_nothing_green(
    alice: User, bob: User, acme: Workspace, login: Login
) -> None:
    browser = login(alice)
    project: Project = make_project(acme)
    make_session(project, user=alice, client="claude-code",
                 last_seen_at=timezone.now() - timedelta(seconds=5))  # fmt: skip
    _, page = make_key(browser)
    asked = since(page)
    assert browser.get(STATUS, asked).json()["state"] == "waiting"
    make_session(project, user=bob, client="claude-code")
    make_session(project, user=alice, client="other")
    assert browser.get(STATUS, asked).json()["state"] == "waiting"


def test_the_status_of_a_key_of_elsewhere_says_nothing(
    alice: User, globex: Workspace, charlie: User, login: Login
) -> None:
    key, text = api_keys.create(workspace=globex, name="k", scopes=["write"], actor=charlie)
    asked = {"key": str(key.pk), "client": "cursor", "since": "0"}
    hook(text)
    assert login(alice).get(STATUS, asked).json()["state"] == "waiting"
    assert login(charlie).get(STATUS, asked).status_code == 404
