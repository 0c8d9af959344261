"""Handing a frame to another person, who accepts or declines."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from frames.calls import check_may_change, keep_revision
from frames.incoming import plain, text_in
from frames.models import Frame, HandOff
from frames.reach import frames_of, uuid_or_none
from frames.signals import changed
from stackmemory.lib.refusal import Conflict, Forbidden, NotFound
from workspaces import news
from workspaces.actor import Actor
from workspaces.models import Membership


def hand_off(*, actor: Actor, frame: Frame, to: str, message: str = "") -> HandOff:
    """Ask the member with the e-mail address `to` to take a frame over. Raises Refusal."""
    check_may_change(actor, frame)
    member = (
        Membership.objects.in_workspace(actor.workspace)
        .select_related("user")
        .filter(user__email=plain(to.strip().lower()))
        .exclude(role=Membership.Role.VIEWER)
        .first()
    )
    if member is None:
        raise NotFound("member who can work", field="to")
    if frame.visibility == Frame.Visibility.PRIVATE:
        raise Conflict("private", "Show the frame to the team first, then hand it off.")
    if member.user_id == frame.owner_id:
        raise Conflict("already_theirs", "The frame is theirs already.", field="to")
    try:
        with transaction.atomic():
            found = HandOff.unscoped.create(
                workspace=actor.workspace, frame=frame, from_user=actor.user,
                to_user=member.user, message=text_in(actor.workspace, message[:10_000]),
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("pending", "The frame is being handed off already.") from None
    _tell(actor, found, "asked")
    return found


def answer(*, actor: Actor, hand_off: HandOff, accept: bool, words: str = "") -> HandOff:
    """Accept (the frame becomes theirs) or decline. Only whom it was handed to may."""
    actor.require("write")
    if actor.user is None or actor.user.pk != hand_off.to_user_id:
        raise Forbidden("forbidden", "Only the person it was handed to can answer.")
    state = HandOff.State.ACCEPTED if accept else HandOff.State.DECLINED
    _settle(actor, hand_off, state, words)
    if accept:
        frame = hand_off.frame
        keep_revision(actor, frame, ("owner_id",))
        frame.owner = actor.user
        frame.save(update_fields=["owner"])
        changed(actor.workspace, "frame", [frame.pk], at_once=True)
    return hand_off


def withdraw(*, actor: Actor, hand_off: HandOff) -> HandOff:
    """Take a hand-off back before it is answered."""
    actor.require("write")
    if actor.user is None or actor.user.pk != hand_off.from_user_id:
        raise Forbidden("forbidden", "Only whoever handed it off can take that back.")
    _settle(actor, hand_off, HandOff.State.WITHDRAWN, "")
    return hand_off


def hand_offs_of(actor: Actor) -> QuerySet[HandOff]:
    """Hand-offs of frames the actor may see."""
    found = HandOff.objects.in_workspace(actor.workspace).filter(frame__in=frames_of(actor))
    return found.select_related("frame__project", "frame__owner", "from_user", "to_user")


def find_hand_off(actor: Actor, ref: str) -> HandOff:
    id_ = uuid_or_none(ref)
    hand_off = hand_offs_of(actor).filter(pk=id_).first() if id_ else None
    if hand_off is None:
        raise NotFound("hand-off")
    return hand_off


def _settle(actor: Actor, hand_off: HandOff, state: str, words: str) -> None:
    """Conditional, so that of two answers one counts."""
    now = timezone.now()
    done = (
        HandOff.objects.in_workspace(actor.workspace)
        .filter(pk=hand_off.pk, state=HandOff.State.PENDING)
        .update(state=state, answer=text_in(actor.workspace, words[:10_000]), answered_at=now)
    )
    if not done:
        raise Conflict("answered", "This hand-off has been answered already.")
    hand_off.state, hand_off.answer, hand_off.answered_at = state, words, now
    _tell(actor, hand_off, state)


def _tell(actor: Actor, hand_off: HandOff, what: str) -> None:
    frame = hand_off.frame
    news.tell(
        actor.workspace.pk,
        "hand_off",
        what,
        [hand_off.pk],
        project=frame.project_id,
        frame=frame.pk,
    )
