"""Two teams in a browser: a person is invited, joins, reads, is demoted and cut off."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from playwright.sync_api import Page, expect

from tests.conftest import PASSWORD
from tests.things import things

pytestmark = pytest.mark.django_db(transaction=True)


def log_in(page: Page, email: str) -> None:
    page.goto("/account/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_a_person_is_invited_reads_is_demoted_and_cut_off(visit, alice, charlie, acme, globex):
    for workspace in (acme, globex):
        things(workspace)

    owner = visit()
    log_in(owner, alice.email)
    expect(owner).to_have_url(re.compile(r"/w/acme/$"))
    owner.goto("/w/acme/members/")
    owner.get_by_label("E-mail address").fill("dora@example.com")
    owner.get_by_role("button", name="Send invitation").click()
    expect(owner.get_by_text("dora@example.com is invited.")).to_be_visible()
    (link,) = re.findall(r"http://localhost:\d+(/invitations/\S+)", mail.outbox[0].body)

    stranger = visit()
    log_in(stranger, charlie.email)
    stranger.goto(link)
    expect(stranger.get_by_role("heading")).to_have_text("This invitation is for somebody else")

    dora = visit()
    dora.goto(link)
    dora.get_by_role("link", name="Sign up and join").click()
    expect(dora.get_by_label("Email")).to_have_value("dora@example.com")
    dora.get_by_label("Your name").fill("Dora")
    dora.get_by_label("Password").fill("a long enough secret")
    dora.get_by_role("button", name="Sign up").click()
    dora.get_by_role("button", name="Join as dora@example.com").click()
    expect(dora).to_have_url(re.compile(r"/w/acme/$"))

    dora.goto("/w/acme/p/acme-api/")
    expect(dora.get_by_role("treeitem", name="Work")).to_be_visible()
    assert dora.goto("/w/globex/").status == 404
    assert dora.goto("/w/acme/keys/").status == 403

    owner.goto("/w/acme/members/")
    owner.get_by_label("Role of Dora", exact=True).select_option("viewer")
    owner.get_by_role("button", name="Change the role of Dora").click()
    expect(owner.get_by_text("Dora is now viewer.")).to_be_visible()
    assert dora.goto("/w/acme/imports/new/").status == 403
    assert dora.goto("/w/acme/").status == 200

    owner.get_by_role("link", name="Remove Dora").click()
    owner.get_by_role("button", name="Remove").click()
    expect(owner.get_by_text("Dora is no longer a member.")).to_be_visible()
    assert dora.goto("/w/acme/").status == 404
    dora.goto("/")
    expect(dora.get_by_role("link", name="Create your first workspace")).to_be_visible()

    owner.goto("/w/acme/audit/")
    for words in ("Invitation sent", "Member joined", "Role changed", "Member removed"):
        expect(owner.get_by_role("cell", name=words, exact=True)).to_be_visible()


def test_a_key_is_shown_once_and_revoked(visit, alice, acme):
    page = visit()
    log_in(page, alice.email)
    page.goto("/w/acme/keys/")
    page.get_by_label("Name").fill("CI")
    page.get_by_role("button", name="Make key").click()
    text = page.get_by_label("The key", exact=True).inner_text()
    assert re.fullmatch(r"sm_\w{10}_\w{38}", text)
    page.get_by_role("link", name="I have copied it").click()
    assert text not in page.content()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke CI").click()
    expect(page.get_by_text("“CI” is revoked.")).to_be_visible()


def test_deleting_wants_the_address_and_can_be_taken_back(visit, alice, acme):
    page = visit(viewport={"width": 390, "height": 844})
    log_in(page, alice.email)
    page.goto("/w/acme/settings/")
    page.get_by_label("to confirm").fill("acme?")
    page.get_by_role("button", name="Delete workspace").click()
    expect(page.get_by_text("Type acme to confirm.")).to_be_visible()
    page.get_by_label("to confirm").fill("acme")
    page.get_by_role("button", name="Delete workspace").click()
    page.get_by_role("button", name="Restore Acme").click()
    expect(page).to_have_url(re.compile(r"/w/acme/$"))


def test_passkeys_work_under_the_policy(visit, alice, acme):
    """A virtual authenticator: add a passkey, log out, log in with it and nothing else."""
    page = visit()
    tools = page.context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    tools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip
    log_in(page, alice.email)
    page.goto("/account/2fa/webauthn/add/")
    if "reauthenticate" in page.url:
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    expect(page).not_to_have_url(re.compile("webauthn/add"))
    page.goto("/account/2fa/webauthn/")
    expect(page.get_by_text("Passkey", exact=True)).to_be_visible()
    page.goto("/account/logout/")
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="With a passkey").click()
    expect(page).to_have_url(re.compile(r"/w/acme/$"))
