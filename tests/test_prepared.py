"""A query made once answers like the queryset it was made of, whatever it is asked with."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from stackmemory.lib.prepared import Prepared
from workspaces.models import Membership

pytestmark = pytest.mark.django_db
member_of: Prepared[Membership] = Prepared(
    lambda slug, user: (
        Membership.objects.across_workspaces()
        .select_related("workspace", "user")
        .filter(workspace__slug=slug, user=user, user__is_active=True)
    ),
    slug="",
    user=UUID(int=0),
)


def test_it_finds_what_the_queryset_finds(acme, alice, bob, charlie, django_assert_num_queries):
    for who in (alice, bob, alice):
        expected = Membership.objects.in_workspace(acme).get(user=who)
        with django_assert_num_queries(1):
            found = member_of.one(slug="acme", user=who.pk)
            assert (found, found.user, found.workspace) == (expected, who, acme)
        for field in (*Membership._meta.concrete_fields, *who._meta.concrete_fields):
            ours, theirs = (found, expected) if field.model is Membership else (found.user, who)
            assert getattr(ours, field.attname) == getattr(theirs, field.attname), field
        assert not found._state.adding


def test_what_is_not_there_is_nothing(acme, alice, charlie):
    assert member_of.one(slug="acme", user=charlie.pk) is None
    assert member_of.one(slug="acme", user=uuid4()) is None
    assert member_of.one(slug="acme' OR '1' = '1", user=alice.pk) is None
    type(alice).objects.filter(pk=alice.pk).update(is_active=False)
    assert member_of.one(slug="acme", user=alice.pk) is None
