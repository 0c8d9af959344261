"""What search and contexts know of erased frames: found, and taken out.

A context that quoted something keeps its place in history, with the quotation taken out and its item
marked. Its `hash` stays that of what was given, which nobody can compute again from what is left.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Q

from frames.cold import reading
from frames.erasing.doomed import Doomed
from frames.models import Anchor, Event, Task
from frames.transfer.reading import parts
from search.backends import backend
from search.models import ContextBundle, ContextMark, Document, Embedding, Word
from search.words import WORD
from stackmemory.lib.tenancy import system_scope, workspace_scope
from workspaces.models import Workspace

AT_ONCE = 500
# So many contexts are looked through while somebody waits.
MOST = 5_000
TAKEN_OUT = "(erased)"
# Things that a context quotes besides frames, and so many that are asked for at once.
HANGING: dict[str, Any] = {"anchor": Anchor, "event": Event}
ITEMS = 10_000
Item = dict[str, Any]


def quoting(doomed: Doomed) -> int | None:
    """How many contexts quote something of what would go; None where too many had to be looked at.

    Three queries at most.
    """
    rows = list(_bundles(doomed)[: MOST + 1])
    if len(rows) > MOST or sum(map(len, _asked(rows).values())) > ITEMS:
        return None
    return len(_quoting(doomed, rows))


def is_long(doomed: Doomed) -> bool:
    """Whether there are more contexts to look through than a page has time for."""
    return _bundles(doomed)[MOST : MOST + 1].exists()


def has_many(workspace: Workspace) -> bool:
    """Whether a workspace has more contexts than a page has time for."""
    return ContextBundle.objects.in_workspace(workspace)[MOST : MOST + 1].exists()


def forget(doomed: Doomed) -> int:
    """Take it out of search and of contexts, before its rows go; how many contexts quoted it.

    Outside of a transaction it is many small ones; killed, it is simply run again.
    """
    workspace, redacted = doomed.workspace, 0
    for found in _all_quoting(doomed):
        with system_scope():
            for pk, ids in found:
                redact(ContextBundle.unscoped.get(pk=pk), ids)
        redacted += len(found)
    words: set[str] = set()
    for frames in parts(list(doomed.frames), AT_ONCE):
        with system_scope():
            objects = [*frames, *_hanging(workspace, frames)]
            ContextMark.unscoped.filter(workspace=workspace, object_id__in=objects).delete()
        while found_words := _forget_documents(workspace, frames, objects):
            words |= found_words
    if doomed.session is not None:
        with system_scope():
            given = ContextBundle.unscoped.filter(workspace=workspace, session=doomed.session)
            given.delete()
    with workspace_scope(workspace.pk):  # which the counting goes by
        _forget_words(workspace, words - {""})
    return redacted


def _forget_documents(
    workspace: Workspace, frames: Sequence[uuid.UUID], objects: Sequence[uuid.UUID]
) -> set[str]:
    """Delete some documents of these; their words, and at least one where there were any."""
    with system_scope():
        of_frames = Q(frame__in=frames) | Q(object_id__in=objects)
        rows = Document.unscoped.filter(of_frames, workspace=workspace)
        found = list(rows.values_list("pk", "terms")[:AT_ONCE])
        pks = [pk for pk, _ in found]
        # Raw: nothing else refers to them, and reading them first would be reading all.
        vectors = Embedding.unscoped.filter(workspace=workspace, document__in=pks)
        vectors._raw_delete(vectors.db)
        documents = Document.unscoped.filter(workspace=workspace, pk__in=pks)
        documents._raw_delete(documents.db)
    return {word for _, terms in found for word in (*terms, "") if not word or WORD.fullmatch(word)}


def redact(bundle: ContextBundle, ids: set[str]) -> None:
    """Take the text of these items out of a bundle."""

    def gone(item: Item) -> bool:
        return item["id"] in ids

    bundle.text = rewritten(bundle.text, bundle.items, lambda item, text: TAKEN_OUT, gone)
    for item in bundle.items:
        if gone(item):
            item |= {"title": TAKEN_OUT, "reason": "", "erased": True}
    ContextBundle.unscoped.filter(pk=bundle.pk).update(text=bundle.text, items=bundle.items)


def rewritten(
    text: str,
    items: Sequence[Item],
    by: Callable[[Item, str], str],
    which: Callable[[Item], bool] = lambda item: True,
) -> str:
    """The text with what stands for these items said otherwise; their places are set anew."""
    pieces: list[str] = []
    at = length = 0
    for item in sorted(items, key=lambda item: int(item["from"])):
        start, end = item["from"], item["to"]
        said = text[start:end]
        said = by(item, said) if which(item) else said
        pieces += [text[at:start], said]
        length += start - at
        item["from"], item["to"] = length, length + len(said)
        at, length = end, length + len(said)
    return "".join([*pieces, text[at:]])


def _bundles(doomed: Doomed) -> Any:
    """(id, items) of those that may quote something of it: of its projects, and made since it was
    there. Without their texts, which are much."""
    bundles = ContextBundle.objects.in_workspace(doomed.workspace)
    if doomed.session is not None:
        bundles = bundles.exclude(session=doomed.session)
    if doomed.since is None:
        return bundles.none()
    bundles = bundles.filter(project__in=doomed.projects, created_at__gte=doomed.since)
    return bundles.order_by("pk").values_list("pk", "items")


def _all_quoting(doomed: Doomed) -> Iterator[list[tuple[uuid.UUID, set[str]]]]:
    """Of all of them, some at a time; each list was read in a scope of its own."""
    last: uuid.UUID | None = None
    while True:
        with system_scope():
            bundles = _bundles(doomed)
            rows = list((bundles.filter(pk__gt=last) if last else bundles)[:AT_ONCE])
            found = _quoting(doomed, rows)
        yield found
        if len(rows) < AT_ONCE:
            return
        last = rows[-1][0]


def _quoting(
    doomed: Doomed, rows: list[tuple[uuid.UUID, list[Item]]]
) -> list[tuple[uuid.UUID, set[str]]]:
    """Those that quote something of it, and by which ids."""
    theirs = set(map(str, doomed.frames)) | _theirs(doomed, _asked(rows))
    found = []
    for pk, items in rows:
        ids = {
            item["id"]
            for item in items
            if item["id"] in theirs and item["section"] != "pointers" and "erased" not in item
        }
        if ids:
            found.append((pk, ids))
    return found


def _asked(rows: list[tuple[uuid.UUID, list[Item]]]) -> dict[str, set[uuid.UUID]]:
    """The things in these contexts that say their frame themselves alone, by kind."""
    return {
        kind: {uuid.UUID(i["id"]) for _, items in rows for i in items if i["kind"] == kind}
        for kind in HANGING
    }


def _theirs(doomed: Doomed, asked: dict[str, set[uuid.UUID]]) -> set[str]:
    """Those of the things asked for that hang on frames that go."""
    going, found, lacking = set(doomed.frames), set(), asked["event"]
    for ids in parts([(kind, pk) for kind in HANGING for pk in sorted(asked[kind])], ITEMS):
        anchors, events = (
            model.objects.in_workspace(doomed.workspace)
            .filter(pk__in=[pk for of, pk in ids if of == kind]).order_by()
            .values_list("pk", "frame_id")
            for kind, model in HANGING.items()
        )  # fmt: skip
        pairs = list(anchors.union(events, all=True))
        found |= {str(pk) for pk, frame in pairs if frame in going}
        lacking = lacking - {pk for pk, _ in pairs}
    if lacking:  # of long ago, or gone by age
        old = reading.find(doomed.workspace.pk, lacking).values()
        found |= {str(event.pk) for event in old if event.frame_id in going}
    return found


def _hanging(workspace: Workspace, frames: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    anchors = Anchor.objects.in_workspace(workspace).filter(frame__in=frames)
    tasks = Task.objects.in_workspace(workspace).filter(frame__in=frames)
    return [*anchors.values_list("pk", flat=True), *tasks.values_list("pk", flat=True)]


def _forget_words(workspace: Workspace, words: Iterable[str]) -> None:
    """Words that no document holds any more: one may be a name, or a secret."""
    for some in parts(sorted(words), 100):
        counts, _ = backend().word_counts(workspace, some, None, 1, with_total=False)
        gone = [word for word in some if not counts.get(word)]
        Word.unscoped.filter(workspace=workspace, text__in=gone).delete()


def unname(workspace: Workspace, names: Iterable[str], by: str) -> None:
    """Say somebody's name and address otherwise where contexts told of them. In the system scope."""
    said = [re.escape(name) for name in names if len(name) > 2]
    if not said:
        return
    word = re.compile(rf"(?<!\w)(?:{'|'.join(said)})(?!\w)")
    bundles = ContextBundle.unscoped.filter(workspace=workspace)
    found = Q()
    for name in names:
        found |= Q(text__contains=name) if len(name) > 2 else Q(pk__in=())
    for bundle in bundles.filter(found).order_by("pk").iterator(chunk_size=100):
        text = rewritten(bundle.text, bundle.items, lambda item, text: word.sub(by, text))
        for item in bundle.items:
            item |= {name: word.sub(by, item[name]) for name in ("title", "reason")}
        if text != bundle.text:
            ContextBundle.unscoped.filter(pk=bundle.pk).update(text=text, items=bundle.items)
