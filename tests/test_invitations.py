"""Inviting by e-mail: the mail, the link, who may use it, and who may not."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests.conftest import PASSWORD
from workspaces import invitations
from workspaces.models import Audit, Invitation, Membership, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_limits():
    cache.clear()


@pytest.fixture
def send(login, alice, acme, django_capture_on_commit_callbacks):
    """send("dora@example.com") invites and returns the path of the link in the mail."""

    def invite(email: str, role: str = "member", client: Client | None = None) -> str:
        with django_capture_on_commit_callbacks(execute=True):
            data = {"email": email, "role": role}
            response = (client or login(alice)).post("/w/acme/invitations/", data)
        assert response.status_code == 302, response.text
        return link_in(mail.outbox[-1])

    return invite


def link_in(message) -> str:
    (path,) = re.findall(r"http://localhost:\d+(/\S+)", message.body)
    return path


def test_the_mail_says_who_invites_whom_to_what(send, acme):
    send("Dora@Example.com")
    message = mail.outbox[0]
    assert message.to == ["dora@example.com"]
    assert message.subject == "Alice invites you to Acme on StackMemory"
    assert "as member" in message.body
    assert "<a href=" in message.alternatives[0][0]


def test_only_a_digest_of_the_link_is_stored(send, login, alice, acme):
    token = send("dora@example.com").split("/")[2]
    row = Invitation.unscoped.values().get()
    assert token not in str(row)
    assert token not in login(alice).get("/w/acme/members/").text


def test_a_new_person_signs_up_and_joins(send, acme):
    link = send("dora@example.com", "viewer")
    client = Client()
    page = client.get(link)
    assert "Alice" in page.text
    assert f"/account/signup/?next={link}" in page.text
    data = {"name": "Dora", "email": "dora@example.com", "password1": "a long enough secret"}
    page = client.post("/account/signup/", data | {"next": link}, follow=True)
    assert page.request["PATH_INFO"] == link
    assert client.post(link).url == "/w/acme/"
    assert acme.memberships.get(user__email="dora@example.com").role == "viewer"
    assert client.get("/w/acme/members/").status_code == 200
    log = Audit.objects.in_workspace(acme).order_by("seq").values_list("action", flat=True)
    assert list(log) == ["invitation.sent", "member.joined"]


def test_the_link_verifies_the_address_and_opens_a_closed_sign_up(send, settings, acme):
    settings.SIGNUP_OPEN = False
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    link = send("dora@example.com")
    client = Client()
    client.get(link)
    data = {"name": "Dora", "email": "dora@example.com", "password1": "a long enough secret"}
    page = client.post("/account/signup/", data | {"next": link}, follow=True)
    assert page.request["PATH_INFO"] == link
    assert User.objects.get(email="dora@example.com").emailaddress_set.get().verified
    assert len(mail.outbox) == 1


def test_the_link_opens_sign_up_for_its_own_address_only(send, settings):
    settings.SIGNUP_OPEN = False
    client = Client()
    client.get(send("dora@example.com"))
    data = {"name": "Eve", "email": "eve@example.com", "password1": "a long enough secret"}
    page = client.post("/account/signup/", data)
    assert "Your invitation is for dora@example.com" in page.text
    assert not User.objects.filter(email="eve@example.com").exists()


def test_an_existing_person_logs_in_and_joins(send, charlie, acme):
    link = send("charlie@example.com")
    client = Client()
    assert f"/account/login/?next={link}" in client.get(link).text
    data = {"login": "charlie@example.com", "password": PASSWORD, "next": link}
    assert client.post("/account/login/", data).url == link
    assert "Join as charlie@example.com" in client.get(link).text
    client.post(link)
    assert acme.memberships.filter(user=charlie, role="member").exists()


def test_looking_at_the_link_does_not_join(send, login, charlie, acme):
    login(charlie).get(send("charlie@example.com"))
    assert not acme.memberships.filter(user=charlie).exists()


def test_a_second_verified_address_will_do(send, login, charlie, acme):
    charlie.emailaddress_set.create(email="c@work.example", verified=True)
    login(charlie).post(send("c@work.example"))
    assert acme.memberships.filter(user=charlie).exists()


def test_an_unverified_second_address_will_not_do(send, login, charlie, acme):
    charlie.emailaddress_set.create(email="c@work.example", verified=False)
    assert login(charlie).post(send("c@work.example")).status_code == 403
    assert not acme.memberships.filter(user=charlie).exists()


def test_the_wrong_person_is_refused_and_told_why(send, login, charlie, acme):
    link = send("dora@example.com")
    client = login(charlie)
    for page in (client.get(link), client.post(link)):
        assert page.status_code == 403
        assert "dora@example.com" in page.text
        assert "charlie@example.com" in page.text
    assert not acme.memberships.filter(user=charlie).exists()


def test_a_used_link_lets_nobody_in_again(send, login, charlie, acme):
    link = send("charlie@example.com")
    client = login(charlie)
    client.post(link)
    assert client.get(link).url == "/w/acme/"
    acme.memberships.filter(user=charlie).delete()
    page = client.post(link)
    assert page.status_code == 410
    assert "has been used" in page.text
    assert not acme.memberships.filter(user=charlie).exists()


def test_an_expired_link_says_so(send, login, charlie, acme):
    link = send("charlie@example.com")
    Invitation.unscoped.update(expires_at=timezone.now() - timedelta(seconds=1))
    page = login(charlie).post(link)
    assert page.status_code == 410
    assert "expired" in page.text
    assert not acme.memberships.filter(user=charlie).exists()


def test_sending_again_makes_a_new_link_and_ends_the_old(
    send, login, alice, charlie, acme, django_capture_on_commit_callbacks
):
    old = send("charlie@example.com")
    invitation = Invitation.unscoped.get()
    Invitation.unscoped.update(expires_at=timezone.now() - timedelta(days=1))
    with django_capture_on_commit_callbacks(execute=True):
        login(alice).post(f"/w/acme/invitations/{invitation.pk}/resend/")
    new = link_in(mail.outbox[-1])
    client = login(charlie)
    assert client.post(old).status_code == 404
    assert client.post(new).url == "/w/acme/"


def test_a_revoked_link_says_so(send, login, alice, charlie, acme):
    link = send("charlie@example.com")
    client = login(alice)
    url = f"/w/acme/invitations/{Invitation.unscoped.get().pk}/revoke/"
    page = client.post(url, follow=True).text
    assert "is revoked" in page
    assert "Open invitations" not in page
    page = login(charlie).post(link)
    assert page.status_code == 410
    assert "revoked" in page.text


@pytest.mark.parametrize(
    "path", ["/invitations/guess/", "/invitations/%00/", f"/invitations/{'a' * 3000}/"]
)
def test_a_forged_link_is_unknown(login, charlie, db, path):
    for client in (Client(), login(charlie)):
        page = client.get(path)
        assert page.status_code == 404
        assert "No such invitation" in page.text


def test_a_member_or_invited_person_is_not_invited_twice(send, login, alice, bob, acme):
    client = login(alice)
    page = client.post("/w/acme/invitations/", {"email": "BOB@example.com", "role": "member"})
    assert "member already" in page.text
    send("dora@example.com")
    page = client.post("/w/acme/invitations/", {"email": "dora@example.com", "role": "viewer"})
    assert page.status_code == 422
    assert "invitation already" in page.text
    assert Invitation.unscoped.count() == 1


def test_who_is_a_member_already_keeps_their_role(send, login, charlie, acme, person):
    link = send("charlie@example.com", "viewer")
    Membership.unscoped.create(workspace=acme, user=charlie, role="admin")
    login(charlie).post(link)
    assert acme.memberships.get(user=charlie).role == "admin"


def test_admins_do_not_invite_owners(login, person, acme):
    client = login(person("ada", acme, "admin"))
    page = client.post("/w/acme/invitations/", {"email": "dora@example.com", "role": "owner"})
    assert page.status_code == 422
    assert not Invitation.unscoped.exists()


def test_admins_do_not_resend_an_owners_invitation(send, login, person, acme):
    send("dora@example.com", "owner")
    client = login(person("ada", acme, "admin"))
    url = f"/w/acme/invitations/{Invitation.unscoped.get().pk}/resend/"
    assert "Only an owner" in client.post(url, follow=True).text


def test_an_invitation_to_a_deleted_workspace_is_unknown(send, login, charlie, acme):
    link = send("charlie@example.com")
    acme.deleted_at = timezone.now()
    acme.save()
    assert login(charlie).post(link).status_code == 404


def test_a_mail_that_could_not_be_sent_is_said_so(
    login, alice, acme, monkeypatch, django_capture_on_commit_callbacks
):
    def refuse(message):
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
    client = login(alice)
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/w/acme/invitations/", {"email": "dora@example.com", "role": "member"})
    assert "did not take the mail" in client.get("/w/acme/members/").text


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_one_invitation_used_twice_at_once_lets_one_in(acme, alice, charlie):
    """Two people who both have the invited address, at the same moment."""
    token = "a-token"
    Invitation.unscoped.create(
        workspace=acme, email=charlie.email, role="member", token_digest=invitations._digest(token),
        expires_at=timezone.now() + invitations.LIFETIME,
    )  # fmt: skip
    double = User.objects.create_user("double@example.com", PASSWORD)
    double.emailaddress_set.create(email=charlie.email, verified=True)
    clients = []
    for user in (charlie, double):
        clients.append(Client())
        clients[-1].force_login(user)
    start = threading.Barrier(2)

    def accept(client: Client) -> None:
        start.wait(10)
        client.post(f"/invitations/{token}/")
        connection.close()

    threads = [threading.Thread(target=accept, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    joined = Membership.unscoped.filter(workspace=acme, user__in=(charlie, double)).count()
    assert joined == 1
