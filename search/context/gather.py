"""What could be given: everything that bears on the work, each thing with a score and its reasons.

Scores are between 0 and 1 and published in docs/context.md; they order things within a section.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from frames.models import AgentSession, Anchor, Frame
from search.backends import Filters
from search.context.candidates import Candidate, Wanted, heed_marks, is_private, recency
from search.context.moment import Moment, Noted
from search.context.wording import (
    anchor_text,
    digest_text,
    event_text,
    flat,
    frame_text,
    other_text,
)
from search.models import Document
from search.searching import find
from search.weighing import ALIKE, Hit

RULES = Q(pinned=True) | Q(type="CONSTRAINT")
MOST_HITS, MOST_CLOSED, MOST_OTHERS, MOST_EVENTS, MOST_REPLACED = 30, 12, 6, 20, 200
# Of rules and of other anchors so many are looked at: about twice as many as a budget has room for.
ANCHORS, TOKENS_EACH = (32, 400), 60
MOST_DIGESTS = 16
# Work nobody has begun for longer is no news.
FRESH = timedelta(days=7)
LONGEST_QUERY = 2_000
# What kind of thing an anchor is, as a part of its score.
KINDS = {
    "CONSTRAINT": 1.0, "DECISION": 0.9, "INTERFACE_CONTRACT": 0.9, "RISK": 0.8, "TODO": 0.5,
    "FACT": 0.4,
}  # fmt: skip
# Of these types any is worth telling; others are where they are weighty, pinned or asked for.
TOLD, WEIGHTY = ("CONSTRAINT", "DECISION", "INTERFACE_CONTRACT", "RISK"), 7
PINNED, ON_PATH = 1.25, 1.15


def gather(
    moment: Moment, session: AgentSession | None, query: str, wanted: Wanted, budget: int
) -> tuple[list[Candidate], bool]:
    """Candidates of all parts that are wanted, in no order yet; and whether the work is private."""
    path = moment.path(session) if session else []
    most = min(max(budget // TOKENS_EACH, ANCHORS[0]), ANCHORS[1])
    anchors = moment.anchors(most=most, each=RULES)
    clock = _clock(moment, anchors, path)
    asked = query.strip() or _asked_by(path)
    hits = _hits(moment, asked, path, clock, wanted)
    found: list[Candidate] = []
    if "path" in wanted.parts:
        found += _path(path)
    found += _anchors(moment, anchors, hits, path, session, clock, wanted)
    replaced = moment.replaced(MOST_REPLACED) if wanted.parts & {"digests", "events"} else []
    if "digests" in wanted.parts:
        latest = wanted.since is None and not query.strip()
        found += _digests(moment, hits, path, replaced, clock, latest=latest)
    if "others" in wanted.parts:
        found += _others(moment, session, clock)
    if "events" in wanted.parts:
        found += _events(moment, path, replaced, clock)
    found = [each for each in found if each.id not in wanted.given]
    heed_marks(moment, found)
    return found, any(is_private(frame) for frame in path)


def _asked_by(path: Sequence[Frame]) -> str:
    """Without a query, what is being worked on is the question."""
    working = [frame.name for frame in path if frame.type != "session"]
    return " ".join(working[-2:])


def _clock(moment: Moment, anchors: Iterable[Anchor | Noted], path: Iterable[Frame]) -> datetime:
    """What counts as now. The latest thing that happened, so that the same state gives the same
    answer whenever it is asked."""
    if moment.at is not None:
        return moment.at
    times = [anchor.noted_at for anchor in anchors]
    times += [frame.last_event_at or frame.started_at for frame in path]
    return max(times, default=None) or timezone.now()


def _hits(
    moment: Moment, asked: str, path: Sequence[Frame], clock: datetime, wanted: Wanted
) -> dict[UUID, Hit]:
    """What search finds for it: object id → hit, its score as a share of the best one's.

    Without frames that are open: the question is made of them, so nothing would come near.
    """
    if not asked or not wanted.parts & {"rules", "anchors", "digests"}:
        return {}
    filters = Filters(
        projects=[moment.project.pk],
        kinds=[Document.Kind.ANCHOR, Document.Kind.FRAME],
        until=moment.at,
    )
    hits = find(
        actor=moment.actor, text=asked[:LONGEST_QUERY], filters=filters, limit=MOST_HITS,
        now=clock, by_meaning=wanted.by_meaning, whole=False,
    ).hits  # fmt: skip
    here = {frame.pk for frame in path}
    hits = [
        hit for hit in hits
        if hit.document.object_id not in here and not (hit.document.is_open and moment.at is None)
    ]  # fmt: skip
    best = max((hit.score for hit in hits), default=0.0) or 1.0
    for hit in hits:
        hit.score /= best
    return {
        hit.document.object_id: hit
        for hit in hits
        if hit.score >= wanted.relevance and (hit.words or (hit.likeness or 0) >= ALIKE)
    }


def _path(path: Sequence[Frame]) -> list[Candidate]:
    if all(frame.type == "session" for frame in path):
        return []  # that a run goes on is no news to it
    return [
        Candidate(
            "path", "frame", frame.pk, frame.name, frame_text(frame),
            score=round(1 / (len(path) - number), 4), private=is_private(frame),
            reasons=["on top of the stack" if number == len(path) - 1 else "on the active path"],
        )
        for number, frame in enumerate(path)
    ]  # fmt: skip


def _anchors(
    moment: Moment, standing: list[Anchor | Noted], hits: dict[UUID, Hit], path: Sequence[Frame],
    session: AgentSession | None, clock: datetime, wanted: Wanted,
) -> list[Candidate]:  # fmt: skip
    known = {anchor.pk for anchor in standing}
    missing = [
        id_ for id_, hit in hits.items() if hit.document.kind == Document.Kind.ANCHOR
        if id_ not in known
    ]  # fmt: skip
    if missing:
        standing = [*standing, *moment.anchors(Q(pk__in=missing), most=len(missing))]
    on_path = {frame.pk for frame in path}
    found = []
    for anchor in standing:
        hit = hits.get(anchor.pk)
        new = wanted.since is not None and anchor.noted_at > wanted.since
        theirs = session is not None and anchor.frame and anchor.frame.session_id == session.pk
        weighty = anchor.type in TOLD or anchor.pinned or anchor.priority >= WEIGHTY
        if wanted.since is not None:
            if theirs or not (hit or (new and weighty)):
                continue
        elif not hit and not weighty and anchor.frame_id not in on_path:
            continue
        rule = anchor.pinned or anchor.type == "CONSTRAINT"
        section = "rules" if rule else "anchors"
        if section not in wanted.parts:
            continue
        found.append(_anchor(anchor, section, hit, anchor.frame_id in on_path, clock, new))
    return found


def _anchor(
    anchor: Anchor | Noted, section: str, hit: Hit | None, on_path: bool, clock: datetime, new: bool
) -> Candidate:
    """.3 kind + .3 priority + .25 relevance + .15 recency; pinned and of the path count for more."""
    kind, priority = KINDS.get(anchor.type, 0.4), min(max(anchor.priority, 0), 10) / 10
    relevance = hit.score if hit else 0.0
    score = 0.3 * kind + 0.3 * priority + 0.25 * relevance + 0.15 * recency(anchor.noted_at, clock)
    reasons = [
        anchor.type.replace("_", " ").lower() + " that stands",
        f"priority {anchor.priority}",
    ]
    if anchor.pinned:
        score *= PINNED
        reasons.insert(0, "pinned")
    if on_path:
        score *= ON_PATH
        reasons.append("of a frame on the active path")
    if new:
        reasons.append("new since this session last reported")
    if hit:
        reasons += hit.reasons
    return Candidate(
        section, "anchor", anchor.pk, anchor.type, anchor_text(anchor, section), min(score, 1.0),
        reasons, private=anchor.frame is not None and is_private(anchor.frame),
    )  # fmt: skip


def _digests(
    moment: Moment, hits: dict[UUID, Hit], path: Sequence[Frame], replaced: Sequence[str],
    clock: datetime, *, latest: bool,
) -> list[Candidate]:  # fmt: skip
    """.5 relevance + .25 frame score + .25 recency. Without a question also the `latest`."""
    ids = [id_ for id_, hit in hits.items() if hit.document.kind == Document.Kind.FRAME]
    ids = sorted(ids, key=lambda id_: (-hits[id_].score, id_))[:MOST_DIGESTS]
    frames = moment.closed(ids, len(ids)) if ids else []
    if latest:
        frames += [f for f in moment.closed(None, MOST_CLOSED) if f.pk not in hits]
    here = {frame.pk for frame in path}
    found = []
    for frame in frames:
        text = digest_text(frame, replaced)
        if frame.pk in here or not text:
            continue
        hit, weight = hits.get(frame.pk), 0.5 if frame.score is None else frame.score
        age = recency(frame.closed_at or frame.started_at, clock)
        score = 0.5 * (hit.score if hit else 0.0) + 0.25 * weight + 0.25 * age
        reasons = [f"closed {frame.closed_at:%Y-%m-%d}", f"frame score {weight:.2f}"]
        reasons += hit.reasons if hit else ()
        found.append(
            Candidate(
                "digests",
                "frame",
                frame.pk,
                frame.name,
                text,
                min(score, 1.0),
                reasons,
                private=is_private(frame),
            )
        )
    return found


def _others(moment: Moment, session: AgentSession | None, clock: datetime) -> list[Candidate]:
    since = (moment.at or timezone.now()) - FRESH
    return [
        Candidate(
            "others",
            "frame",
            frame.pk,
            frame.name,
            other_text(frame),
            recency(frame.started_at, clock),
            ["open in another run"],
            private=is_private(frame),
        )
        for frame in moment.others(session, since, MOST_OTHERS)
    ]


def _events(
    moment: Moment, path: Sequence[Frame], replaced: Sequence[str], clock: datetime
) -> list[Candidate]:
    private = {frame.pk for frame in path if is_private(frame)}
    stale = [flat(text)[:200] for text in replaced if len(text) > 11]
    found = []
    for number, line in enumerate(moment.lines(path, MOST_EVENTS)):
        text = event_text(line)
        if not text or any(words in flat(line.head) for words in stale):
            continue
        found.append(
            Candidate(
                "events",
                "event",
                line.id,
                line.type,
                text,
                round(0.97**number, 4),
                ["failed" if line.is_error else "latest on the active path"],
                private=line.frame_id in private,
            )
        )
    return found
