"""Nothing is stored three times: events copied into digests and outputs are kept by reference."""

import json
import random

from django.db import connection
from django.test.utils import CaptureQueriesContext

from frames.models import Event, Frame
from frames.transfer.spelling import respelled, spellings
from tests.stores import B, Store, js
from tests.test_import_odd_rows import assert_whole, bring


def stored(workspace):
    """Characters that frames hold of their documents, verbatim leftovers included."""
    frames = Frame.objects.in_workspace(workspace)
    return sum(len(json.dumps([f.digest, f.outputs, f.source])) for f in frames)


def copied(path, payload_of, events=200):
    store = Store(path, B)
    frame = store.frame()
    for number in range(events):
        store.event(frame, payload=payload_of(number))
    store.close_frame(frame, outputs={"result": "done"})
    return store.done()


def test_copies_of_events_are_references(acme, tmp_path):
    chance = random.Random(1)

    def payload(number):
        return js({"text": "".join(chance.choices("abcdef ", k=10_000)), "n": number})

    path = copied(tmp_path / "context.db", payload)
    bring(acme, path)
    payloads = sum(len(e.payload) for e in Event.objects.in_workspace(acme))
    assert payloads > 2_000_000
    assert stored(acme) < payloads / 20
    assert_whole(acme, path)


def test_brackets_in_code_are_no_nesting(acme, tmp_path):
    path = copied(tmp_path / "context.db", lambda n: js({"code": "if (a[{" * 300, "n": n}))
    bring(acme, path)
    payloads = sum(len(e.payload) for e in Event.objects.in_workspace(acme))
    assert stored(acme) < payloads / 5
    assert "activity" in Frame.objects.in_workspace(acme).get().digest
    assert_whole(acme, path)


def test_verifying_reads_no_frame_once_an_event(acme, tmp_path):
    path = copied(tmp_path / "context.db", lambda n: js({"n": n}), events=600)
    bring(acme, path)
    with CaptureQueriesContext(connection) as queries:
        assert_whole(acme, path)
    of_events = [q["sql"] for q in queries if 'FROM "frames_event"' in q["sql"]]
    assert of_events
    assert not any('"frames_frame"."digest' in sql for sql in of_events)
    assert len(queries) < 60


def test_numbers_python_spells_otherwise_cost_no_second_copy(acme, tmp_path):
    text = "x" * 2000
    store = Store(tmp_path / "context.db", B)
    frame = store.frame()
    for number in range(200):
        payload = f'{{"small":0.00001,"tiny":1e-7,"n":{number},"text":"{text}"}}'
        store.event(frame, payload=payload)
    store.close_frame(frame)
    for column in ("digest_json", "outputs"):  # as JavaScript writes them
        spelled = f"replace(replace({column}, '1e-07', '1e-7'), '1e-05', '0.00001')"
        store.db.execute(f"UPDATE frames SET {column} = {spelled}")
    path = store.done()
    bring(acme, path)
    assert stored(acme) < 200 * 2000 / 5
    assert_whole(acme, path)


def test_a_copy_that_differs_is_kept_as_it_is(acme, tmp_path):
    store = Store(tmp_path / "context.db", B)
    frame = store.frame()
    event = store.event(frame, payload=js({"text": "as it was"}))
    store.close_frame(frame)
    store.db.execute('UPDATE events SET payload = \'{"text":"since"}\'')
    path = store.done()
    bring(acme, path)
    assert "as it was" in json.dumps(Frame.objects.in_workspace(acme).get().digest)
    assert Event.objects.in_workspace(acme).get(source_id=event).data == {"text": "since"}
    assert_whole(acme, path)


def test_spellings_go_there_and_back():
    ours, theirs = '{"a":1e-07,"b":[1.1,0],"c":"7"}', '{"a":1e-7,"b":[1.10,-0],"c":"7"}'
    assert respelled(ours, spellings(ours, theirs)) == theirs
    assert spellings(ours, ours) == []
    assert spellings('{"a":1}', '{"b":1}') is None
    assert spellings("[1]", "[1,2]") is None
