"""The operators' admin: every model, quick on large tables, and careful with what it changes."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from frames.models import Event, Frame, KeptRow, Project, Revision, Task
from frames.sample.load import load_sample
from tests.conftest import make_person, make_workspace
from workspaces.models import (
    Audit,
    Limit,
    LoginPlace,
    Membership,
    PlanLimit,
    User,
    Workspace,
)

pytestmark = pytest.mark.django_db

OWN = [
    model
    for app in ("workspaces", "frames", "search")
    if apps.is_installed(app)
    for model in apps.get_app_config(app).get_models()
]
READ_ONLY = {"event", "keptrow", "revision", "activity", "audit", "transferitem", "usage"}


def url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def operator(db):
    return User.objects.create_superuser("operator@example.com", "a long password for tests")


@pytest.fixture
def browser(login, operator):
    return login(operator)


@pytest.fixture(scope="module")
def acme(stage) -> Workspace:
    return make_workspace("acme")


@pytest.fixture(scope="module")
def alice(acme) -> User:
    return make_person("alice", acme, "owner")


@pytest.fixture(scope="module")
def sample(acme, alice):
    load_sample(workspace=acme, owner=alice)
    project = Project.objects.in_workspace(acme).first()
    KeptRow.unscoped.create(
        workspace=acme, project=project, table="t", source_id="1", content={"a": "é" * 50_000}
    )
    Revision.unscoped.create(
        workspace=acme, kind="anchor", object_id=project.id, cause="person", data={"text": "old"}
    )
    LoginPlace.objects.create(user=alice, digest="x")
    return acme


def test_every_model_has_a_page():
    missing = [model._meta.label for model in OWN if not admin.site.is_registered(model)]
    assert missing == []


def test_lists_are_quick_whatever_the_tables_hold(browser, sample):
    browser.get(url(OWN[0], "changelist"))  # what is asked once
    for model in OWN:
        with CaptureQueriesContext(connection) as queries:
            page = browser.get(url(model, "changelist"))
        assert page.status_code == 200, model
        assert len(queries) <= 12, (model, [query["sql"][:200] for query in queries])
        counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
        assert all(re.search(r"LIMIT 1000\)", sql) for sql in counts), counts


def test_rows_can_be_seen_and_never_deleted(browser, sample):
    seen = []
    for model in OWN:
        row = model._default_manager.first()
        if row is None:
            continue
        seen.append(model._meta.model_name)
        assert browser.get(url(model, "change", row.pk)).status_code == 200, model
        if model not in (PlanLimit, Limit):
            assert browser.get(url(model, "delete", row.pk)).status_code == 403, model
        if model not in (PlanLimit, Limit, User):
            assert browser.get(url(model, "add")).status_code == 403, model
        if model._meta.model_name in READ_ONLY:
            forged = browser.post(url(model, "change", row.pk), {"type": "forged"})
            assert forged.status_code == 403, model
    assert {"event", "frame", "keptrow", "revision", "activity", "user", "workspace"} <= set(seen)


def test_large_payloads_are_not_read_for_lists_and_shown_in_part(browser, sample):
    with CaptureQueriesContext(connection) as queries:
        browser.get(url(Event, "changelist"))
    assert not any('"payload"' in query["sql"] for query in queries)
    row = KeptRow.objects.in_workspace(sample).get()
    page = browser.get(url(KeptRow, "change", row.pk)).content.decode()
    assert "characters in all" in page
    assert len(page) < 60_000


def test_search_by_id_by_frame_and_by_workspace(browser, sample):
    frame = Frame.objects.in_workspace(sample).filter(event_count__gt=3).first()
    event = frame.events.first()
    found = browser.get(url(Event, "changelist"), {"q": str(event.pk)})
    assert found.context["cl"].result_count == 1
    found = browser.get(url(Event, "changelist"), {"q": str(frame.pk)})
    assert found.context["cl"].result_count == frame.event_count
    assert browser.get(url(Event, "changelist"), {"q": "acme"}).context["cl"].result_count == 0
    assert browser.get(url(Task, "changelist"), {"q": "acme"}).context["cl"].result_count == 20
    assert browser.get(url(Task, "changelist"), {"q": "globex"}).context["cl"].result_count == 0
    assert browser.get(url(Task, "changelist"), {"q": "acme x"}).context["cl"].result_count == 0
    assert browser.get(url(Task, "changelist"), {"q": "%_'\""}).status_code == 200


def test_a_change_is_kept_in_the_audit_log(browser, sample, operator):
    task = Task.objects.in_workspace(sample).filter(status="pending").first()
    form = {"status": "cancelled", "priority": task.priority, "assignee": task.assignee}
    assert browser.post(url(Task, "change", task.pk), form | {"title": "forged"}).status_code == 302
    task.refresh_from_db()
    assert task.status == "cancelled"
    assert task.title != "forged"
    entry = Audit.objects.in_workspace(sample).get(action="operator.changed")
    assert entry.actor_id == operator.pk
    assert (entry.data["before"], entry.data["after"]) == (
        {"status": "pending"}, {"status": "cancelled"},
    )  # fmt: skip


def test_limits_are_the_operators_own_and_remembered(browser, acme):
    form = {"workspace": str(acme.pk), "name": "requests_per_minute", "amount": "50"}
    assert browser.post(url(Limit, "add"), form).status_code == 302
    limit = Limit.objects.in_workspace(acme).get()
    assert limit.amount == 50
    changed = {"name": "events_per_month", "amount": ""}
    assert browser.post(url(Limit, "change", limit.pk), changed).status_code == 302
    limit.refresh_from_db()
    assert (limit.name, limit.amount) == ("requests_per_minute", None)
    assert browser.post(url(Limit, "delete", limit.pk), {"post": "yes"}).status_code == 302
    assert not Limit.objects.in_workspace(acme).exists()
    entries = Audit.objects.in_workspace(acme).filter(action="operator.changed").order_by("seq")
    told = [(entry.data.get("before"), entry.data.get("after")) for entry in entries]
    assert told[0] == (None, form | {"amount": 50})
    assert told[1] == ({"amount": 50}, {"amount": None})
    assert told[2] == (form | {"amount": None}, None)


def test_the_last_owner_stays(browser, sample, alice, bob):
    owner = Membership.objects.in_workspace(sample).get(user=alice)
    page = browser.post(url(Membership, "change", owner.pk), {"role": "viewer"})
    assert page.status_code == 200
    assert "Make somebody else an owner first" in page.content.decode()
    member = Membership.objects.in_workspace(sample).get(user=bob)
    assert browser.post(url(Membership, "change", member.pk), {"role": "owner"}).status_code == 302
    assert browser.post(url(Membership, "change", owner.pk), {"role": "viewer"}).status_code == 302


def test_an_operator_makes_an_account(browser):
    form = {
        "email": "New@Example.com", "name": "New", "usable_password": "true",
        "password1": "correct horse battery", "password2": "correct horse battery",
    }  # fmt: skip
    assert browser.post(url(User, "add"), form).status_code == 302
    person = User.objects.get(email="new@example.com")
    assert person.check_password("correct horse battery")
    assert person.emailaddress_set.get().verified


def test_digests_of_secrets_are_not_shown(browser, sample, alice):
    page = browser.get(url(User, "change", alice.pk)).content.decode()
    assert alice.password not in page


def test_members_who_are_no_operators_get_no_further_than_the_login(login, alice):
    answer = login(alice).get(reverse("admin:index"), follow=True)
    assert answer.status_code in (200, 403)
    assert "Everything in this installation" not in answer.content.decode()
