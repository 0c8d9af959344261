"""A workspace in one file: all that is truth, nothing that is secret, and back again the same."""

from __future__ import annotations

import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction

from frames.models import Event, Frame
from search.models import ContextBundle, Document
from stackmemory.archive import container
from stackmemory.archive.contents import CONTENTS, LEFT_OUT, parts
from stackmemory.archive.errors import BadArchive
from stackmemory.archive.hashing import workspace_hash
from stackmemory.archive.reading import import_workspace
from stackmemory.archive.writing import export_workspace
from stackmemory.erasing import doing
from stackmemory.lib.row_security import tenant_models
from stackmemory.lib.tenancy import workspace_scope
from stackmemory.lib.uuid7 import uuid7
from tests.moving.archives import ELSEWHERE, parts_of, rewrite, row_change
from tests.moving.teams import make_team, purge, rows_of
from workspaces import audit
from workspaces.actor import Actor
from workspaces.models import ApiKey, Audit, Membership, User, Workspace

pytestmark = pytest.mark.django_db


def test_every_tenant_table_is_in_an_archive_or_has_a_reason_not_to_be():
    """A new table fails here: add it to CONTENTS or, with why, to LEFT_OUT of archive/contents.py."""
    tables = {model._meta.label for model in tenant_models()}
    assert tables == CONTENTS.keys() | LEFT_OUT.keys()
    assert not CONTENTS.keys() & LEFT_OUT.keys()
    order = list(CONTENTS)
    for part in parts():
        for name, target in part.references().items():
            label = apps.get_model(target)._meta.label
            assert label in order[: order.index(part.model._meta.label) + 1], (part.name, name)


def test_ten_teams_move_in_a_row(tmp_path, as_application):
    """Each leaves as a file and is gone; taken again it is the same, and its log holds."""
    moved: dict[str, str] = {}
    for number in range(10):
        team = make_team(f"team-{number}", tmp_path)
        before = rows_of(team)
        with as_application():
            report = export_workspace(workspace=team, output=tmp_path / f"{number}.zip")
        purge(team)
        assert not rows_of(team)
        with as_application():
            told = import_workspace(path=tmp_path / f"{number}.zip")
        assert told["workspace_hash"] == report["workspace_hash"]
        assert len(told["people"]["made inactive"]) == 2
        moved[team.slug] = report["workspace_hash"]
        after = rows_of(team)
        assert {k: after[k] for k in before if k in CONTENTS and k != "workspaces.Audit"} == {
            k: before[k] for k in before if k in CONTENTS and k != "workspaces.Audit"
        }
    for workspace in Workspace.objects.all():
        assert workspace_hash(workspace) == moved[workspace.slug]
        assert list(audit.faults(workspace)) == []


@pytest.mark.postgresql_only
@pytest.mark.django_db(transaction=True)
def test_it_is_of_one_moment(tmp_path):
    """What is written while it is made is not in it, so that nothing in it names what is not."""
    with transaction.atomic():
        team = make_team("team", tmp_path)
    frame = Frame.objects.in_workspace(team).first()
    written = []

    def write() -> None:
        pk = uuid7()
        with workspace_scope(team.pk):
            Frame.unscoped.create(
                id=pk, root_id=pk, workspace=team, project_id=frame.project_id, name="Late"
            )
            Event.unscoped.create(
                workspace=team, frame_id=pk, type="note", occurred_at=frame.started_at
            )
            Frame.unscoped.filter(pk=frame.pk).update(parent=pk)
        written.append(pk)
        connection.close()

    def meanwhile(done, total):
        if not written:
            with ThreadPoolExecutor(1) as beside:
                beside.submit(write).result()

    path = tmp_path / "team.zip"
    export_workspace(workspace=team, output=path, on_progress=meanwhile)
    assert written
    assert "Late" not in parts_of(path)["rows/frames.frame.jsonl"]
    purge(team)
    assert import_workspace(path=path)["rows"]["frames.event"] == 11


def test_no_secret_is_in_it(team, archive, alice):
    content = "\n".join(parts_of(archive).values())
    key = ApiKey.objects.in_workspace(team).get()
    ann = User.objects.get(email="ann@team.example")
    for secret in (key.digest, ann.password, "last_login", "is_superuser"):
        assert secret not in content
    assert "alice@example.com" not in content
    assert "imports/x" not in content


def test_people_are_known_by_their_address(team, archive):
    """Who is known here is themselves; whoever is not is made, inactive, without a way in."""
    purge(team)
    ann = User.objects.create_user("ann@team.example", "a password of hers", name="Ann here")
    report = import_workspace(path=archive, slug="elsewhere")
    workspace = Workspace.objects.get(slug="elsewhere")
    assert report["people"] == {"known": 1, "made inactive": ["ben@team.example"]}
    members = Membership.objects.in_workspace(workspace)
    assert members.get(user=ann).role == "owner"
    ben = members.exclude(user=ann).get().user
    assert not ben.is_active
    assert not ben.has_usable_password()
    ann.refresh_from_db()
    assert (ann.name, ann.is_active) == ("Ann here", True)
    assert workspace.pk == team.pk
    assert not ApiKey.objects.in_workspace(workspace).exists()


def test_search_is_made_anew(team, archive, django_capture_on_commit_callbacks):
    purge(team)
    with django_capture_on_commit_callbacks(execute=True):
        import_workspace(path=archive)
    kinds = Document.objects.in_workspace(team).values_list("kind", flat=True)
    assert {"frame", "anchor", "event"} <= set(kinds)


def test_private_frames_may_stay_behind(team, tmp_path):
    path = tmp_path / "shared.zip"
    secret = Frame.objects.in_workspace(team).get(visibility="private")
    below = Frame.unscoped.create(
        id=(pk := uuid7()), root_id=secret.root_id, depth=3, workspace=team,
        project=secret.project, parent=secret, name=f"Below {pk}",
    )  # fmt: skip
    export_workspace(workspace=team, output=path, private=False)
    content = parts_of(path)
    assert not [name for name, text in content.items() if "Secret" in text and "note" not in text]
    assert len(content["rows/frames.event.jsonl"].splitlines()) == 8
    assert str(secret.pk) not in "".join(content.values())
    purge(team)
    import_workspace(path=path)
    below.refresh_from_db()
    assert (below.parent_id, below.root_id, below.depth) == (None, below.pk, 0)
    assert not Frame.objects.in_workspace(team).filter(visibility="private").exists()


def first_twice(content, manifest):
    name = "rows/frames.anchor.jsonl"
    content[name] += content[name].splitlines()[0] + "\n"


def member(name):
    def change(content, manifest):
        content[name] = "x"

    return change


def newer(content, manifest):
    manifest["version"] = 2


def newer_part(content, manifest):
    manifest["parts"].append(
        {
            "name": "frames.dream",
            "file": "rows/frames.dream.jsonl",
            "fields": ["id"],
            "rows": 0,
            "bytes": 0,
            "sha256": "",
        }
    )
    content["rows/frames.dream.jsonl"] = ""


def bomb(content, manifest):
    content["rows/frames.task.jsonl"] += '"' + "x" * (20 << 20) + '"\n'


def cut(content, manifest):
    content["rows/frames.event.jsonl"] = content["rows/frames.event.jsonl"][:-40]


def foreign(content, manifest):
    manifest["format"] = "a holiday album"


def moved_in_log(content, manifest):
    name = "rows/workspaces.audit.jsonl"
    content[name] = content[name].replace('"action":"key.created"', '"action":"key.revoked"')


HOSTILE = {
    "newer": (newer, "newer"),
    "newer part": (newer_part, "frames.dream"),
    "foreign": (foreign, "not an archive"),
    "path traversal": (member("../../etc/passwd"), "no place in it"),
    "absolute path": (member("/etc/passwd"), "no place in it"),
    "bomb": (bomb, "grow"),
    "cut part": (cut, "does not end"),
    "id twice": (first_twice, r"frames.anchor [0-9a-f-]{36} stands there twice"),
    "reference outside": (row_change("frames.anchor", frame=ELSEWHERE), ELSEWHERE),
    "root outside": (row_change("frames.frame", root_id=ELSEWHERE), f"“root_id”, names {ELSEWHERE}"),
    "person outside": (row_change("workspaces.membership", user="eve@example.com"), "nobody"),
    "unknown role": (row_change("workspaces.membership", role="god"), "role"),
    "NUL": (row_change("frames.anchor", text="a\0b"), "text"),
    "half a character": (row_change("frames.anchor", text="\ud800"), "no row|text"),
    "field more": (row_change("frames.anchor", is_superuser=True), "no row"),
    "not JSON": (row_change("frames.frame", inputs="{"), "inputs"),
    "no number": (row_change("frames.frame", depth="deep"), "depth"),
    "time of an id": (row_change("frames.event", id="00000000-0000-7000-8000-000000000000"), "sane"),
    "log rewritten": (moved_in_log, "log"),
    "bad slug": (row_change("frames.project", slug="../x"), "slug"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_wrong_is_refused_before_anything_is_written(team, archive, name):
    change, words = HOSTILE[name]
    forged = rewrite(archive, change)
    purge(team)
    with pytest.raises(BadArchive, match=words):
        import_workspace(path=forged)
    assert not Workspace.objects.exists()
    assert not User.objects.exists()
    assert not rows_of(team)


def test_a_dishonest_or_broken_file_is_refused(team, archive, tmp_path, monkeypatch):
    purge(team)
    changed = rewrite(archive, row_change("frames.anchor", text="Other"), honest=False)
    whole = archive.read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    middle = len(whole) // 3
    (tmp_path / "damaged.zip").write_bytes(whole[:middle] + b"\0" * 64 + whole[middle + 64 :])
    (tmp_path / "text.zip").write_text("hello")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("holiday.jpg", "x")
    for path in (
        changed,
        *(tmp_path / f"{n}.zip" for n in ("cut", "damaged", "text", "other", "no")),
    ):
        with pytest.raises(BadArchive):
            import_workspace(path=path)
        assert not Workspace.objects.exists(), path
    monkeypatch.setattr(container, "LONGEST_LINE", 100)
    with pytest.raises(BadArchive, match="longer than any row"):
        import_workspace(path=archive)
    monkeypatch.undo()
    assert import_workspace(path=archive)["status"] == "done"


def test_an_installation_takes_a_workspace_once(team, archive, globex, tmp_path):
    """Neither over itself nor with rows of another workspace."""
    with pytest.raises(BadArchive, match="here already"):
        import_workspace(path=archive, slug="copy")

    def another(content, manifest):
        new = str(uuid7())
        manifest["workspace"]["id"] = new
        for name in content:
            content[name] = content[name].replace(str(team.pk), new)

    forged = rewrite(archive, another)
    with pytest.raises(BadArchive, match="in this or another workspace"):
        import_workspace(path=forged, slug="copy")
    purge(team)
    with pytest.raises(BadArchive, match="globex"):
        import_workspace(path=archive, slug="globex")
    assert set(Workspace.objects.values_list("slug", flat=True)) == {"globex"}


def test_what_cannot_be_finished_leaves_nothing(team, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_workspace(workspace=team, output=tmp_path / "x.zip", on_progress=stop)
    assert not list(tmp_path.glob("*x.zip*"))
    with pytest.raises(BadArchive, match="cannot be written"):
        export_workspace(workspace=team, output=tmp_path / "none" / "x.zip")


def test_one_that_nobody_owns_is_taken_and_says_so(team, tmp_path, capsys, as_application):
    Membership.unscoped.filter(workspace=team).update(role="member")
    export_workspace(workspace=team, output=tmp_path / "nobody.zip")
    purge(team)
    with as_application():
        call_command("import_workspace", tmp_path / "nobody.zip")
    assert "under Memberships, give one of its members the role of owner" in capsys.readouterr().out


def test_after_frames_moved_up_it_is_taken(team, tmp_path):
    """Every frame still names a root that is in the archive, with private frames and without."""
    top, secret = (
        Frame.objects.in_workspace(team).get(name=name) for name in ("Build", "Secret plan")
    )
    Frame.unscoped.create(
        id=(pk := uuid7()), root_id=top.pk, depth=3, workspace=team, project=top.project,
        parent=secret, name="Below",
    )  # fmt: skip
    Frame.unscoped.filter(pk=pk).update(visibility="private", owner=secret.owner)
    Frame.unscoped.create(
        id=(lowest := uuid7()), root_id=top.pk, depth=4, workspace=team, project=top.project,
        parent_id=pk, name="Lowest", visibility="private", owner=secret.owner,
    )  # fmt: skip
    ContextBundle.unscoped.filter(workspace=team).delete()  # of which none is a whole one
    owner = Membership.objects.in_workspace(team).get(role="owner")
    with workspace_scope(team.pk):
        doing.take(doing.find(Actor.of_member(owner), top))
    Frame.unscoped.filter(pk=lowest).update(visibility="team")
    assert Frame.unscoped.get(pk=lowest).root_id == secret.pk
    for private, root in ((True, secret.pk), (False, lowest)):
        path = tmp_path / f"{root}.zip"
        export_workspace(workspace=team, output=path, private=private)
        purge(team)
        assert import_workspace(path=path)["owners"] == 1
        assert Frame.unscoped.get(pk=lowest).root_id == root


def test_the_commands(team, tmp_path, capsys, as_application):
    path = tmp_path / "team.zip"
    with as_application():
        call_command("export_workspace", "team", output=path, json=True)
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert Audit.objects.in_workspace(team).order_by("-seq").first().action == "export"
    assert workspace_hash(team) == said["workspace_hash"]
    purge(team)
    with as_application():
        call_command("import_workspace", path, "--as", "renamed")
    told = capsys.readouterr().out
    assert said["workspace_hash"] in told
    assert "Nobody owns it" not in told
    assert Event.objects.in_workspace(Workspace.objects.get(slug="renamed")).count() == 11
    for wrong in (("export_workspace", "no", "--output", "x"), ("import_workspace", "nowhere.zip")):
        with pytest.raises(SystemExit):
            call_command(*wrong)
        assert capsys.readouterr().err.strip()
