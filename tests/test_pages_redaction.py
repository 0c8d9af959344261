"""The page on which a workspace says what is taken out of texts."""

from frames.redact import redactor_for
from workspaces.models import Audit

URL = "/w/acme/settings/redaction/"


def test_an_own_pattern_holds_and_is_audited(acme, alice, login):
    client = login(alice)
    answer = client.post(URL, {"enabled": "on", "patterns": "ticket: TICKET-[0-9]{6}\n\n"})
    assert answer.status_code == 302
    acme.refresh_from_db()
    assert redactor_for(acme).redact("see TICKET-123456")[0] == "see [redacted:ticket]"
    entry = Audit.objects.in_workspace(acme).get(action="workspace.settings")
    assert entry.data["after"]["redaction"]["patterns"][0]["name"] == "ticket"
    assert "TICKET-[0-9]{6}" in client.get(URL).content.decode()


def test_it_can_be_switched_off(acme, alice, login):
    secret = "AKIA" + "Z7QWERTYUIOPASD2"
    assert secret not in redactor_for(acme).redact(f"key {secret}")[0]
    login(alice).post(URL, {"patterns": ""})
    acme.refresh_from_db()
    assert redactor_for(acme).redact(f"key {secret}")[0] == f"key {secret}"


def test_a_bad_pattern_is_refused_with_the_reason_and_kept_in_the_form(acme, alice, login):
    answer = login(alice).post(URL, {"enabled": "on", "patterns": "broken: ("})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "broken: (" in page
    assert "RE2" in page
    acme.refresh_from_db()
    assert "redaction" not in acme.settings


def test_members_may_not(acme, bob, login):
    assert login(bob).get(URL).status_code == 403
