"""`manage.py limits`: what a workspace may use, seen and changed by an operator."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from workspaces import limits
from workspaces.models import Audit, LimitName

pytestmark = pytest.mark.django_db


def run(capsys, *arguments: str) -> dict:
    call_command("limits", "--workspace", "acme", "--json", *arguments)
    return json.loads(capsys.readouterr().out)


def test_seen_and_changed(acme, capsys, as_application):
    with as_application():
        assert run(capsys)["limits"] == {
            "requests_per_minute": 12_000,
            "requests_per_minute_person": None,
            "requests_per_minute_all": None,
            "events_per_month": None,
        }
        changed = run(capsys, "requests_per_minute=600", "events_per_month=1000")
        assert changed["limits"] == {
            "requests_per_minute": 600,
            "requests_per_minute_person": None,
            "requests_per_minute_all": None,
            "events_per_month": 1000,
        }
        assert run(capsys, "requests_per_minute=none")["limits"]["requests_per_minute"] is None
        assert run(capsys, "requests_per_minute=plan")["limits"]["requests_per_minute"] == 12_000
    kept = [entry.data["after"]["requests_per_minute"] for entry in Audit.unscoped.order_by("seq")]
    assert kept == [600, None, 12_000]


def test_what_is_used_is_shown(acme, capsys):
    limits.set_limit(acme, LimitName.EVENTS, 10)
    limits.spend_events(acme, 4)
    assert run(capsys)["events_this_month"] == 4
    call_command("limits", "--workspace", "acme")
    assert "events_per_month: 10" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["x=1", "requests_per_minute=-1", "requests_per_minute", "a"])
def test_what_is_no_limit_is_refused(acme, capsys, change):
    with pytest.raises(CommandError) as problem:
        run(capsys, change)
    assert problem.value.returncode == 2
    assert not limits.Limit.unscoped.exists()


def test_an_unknown_workspace(acme):
    with pytest.raises(CommandError, match="nowhere") as problem:
        call_command("limits", "--workspace", "nowhere")
    assert problem.value.returncode == 2
