"""Docs are complete: every setting, command, route and check, every link and every picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.urls import URLResolver, get_resolver

ROOT = Path(__file__).parent.parent
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
SELF_HOSTING = (ROOT / "docs" / "self-hosting.md").read_text()
CONCEPTS = (ROOT / "docs" / "concepts.md").read_text()


def variables() -> set[str]:
    """Every variable that settings and the processes read, not what runs on people's machines."""
    found: set[str] = set()
    ours = set((ROOT / "stackmemory").rglob("*.py")) - {ROOT / "stackmemory" / "hook_script.py"}
    ours -= set((ROOT / "stackmemory" / "cli").rglob("*.py"))
    for path in ours:
        text = path.read_text()
        found |= set(re.findall(r'\benv\.\w+\(\s*"([A-Z][A-Z_]+)"', text))
        found |= set(re.findall(r"""\bos\.environ(?:\.get\(|\[)\s*["']([A-Z][A-Z_]+)""", text))
        found |= set(re.findall(r'"([A-Z][A-Z_]+)" in (?:env\.ENVIRON|os\.environ)', text))
    for suffix in re.findall(
        r'\{name\.upper\(\)\}(_\w+)"', (ROOT / "stackmemory/settings.py").read_text()
    ):
        found |= {f"GITHUB{suffix}", f"GOOGLE{suffix}"}
    return found


def routes() -> set[str]:
    """First segments of every address; inside a workspace, the first below it."""

    def walk(resolver: URLResolver, prefix: str = "") -> set[str]:
        found = set()
        for pattern in resolver.url_patterns:
            path = prefix + str(pattern.pattern)
            found |= walk(pattern, path) if isinstance(pattern, URLResolver) else {path}
        return found

    inside = re.compile(r"w/<slug:workspace_slug>/(\w*)")
    return {
        f"w/…/{found[1]}" if (found := inside.match(path)) else path.split("/")[0]
        for path in walk(get_resolver())
    } - {"", "w/…/"}


def test_the_search_for_variables_finds_them():
    expected = {"SITE_URL", "DATABASE_URL", "SECRET_KEY", "PORT", "RAILWAY_ENVIRONMENT"}
    assert expected | {"GITHUB_CLIENT_ID", "WEB_CONCURRENCY", "EMAIL_URL"} <= variables()


@pytest.mark.parametrize("name", sorted(variables() - {"DJANGO_SETTINGS_MODULE"}))
def test_every_variable_is_documented(name):
    assert f"`{name}`" in SELF_HOSTING


def test_no_variable_is_documented_that_nothing_reads():
    rows = re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \|", SELF_HOSTING, flags=re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert len(documented) > 20
    assert sorted(documented - variables()) == []


@pytest.mark.parametrize(
    "command",
    sorted(
        path.stem
        for path in ROOT.glob("*/management/commands/*.py")
        if not path.stem.startswith("_") and path.parts[-4] != "tests"
    ),
)
def test_every_command_is_documented(command):
    assert re.search(rf"^\| `{command}\b", SELF_HOSTING, flags=re.MULTILINE)


@pytest.mark.parametrize("route", sorted(routes()))
def test_every_route_is_documented(route):
    inside, _, segment = route.rpartition("/")
    words = f"`{segment}/" if inside else f"`/{segment}/"
    text = CONCEPTS if inside else SELF_HOSTING
    assert words in text or f"`{segment}`" in text


def test_probes_are_documented():
    assert "`/healthz`" in SELF_HOSTING
    assert "`/readyz`" in SELF_HOSTING


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(path):
    text = path.read_text()
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text)
    local = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    missing = [link for link in local if not (path.parent / link).exists()]
    assert missing == []


def test_pictures_are_small():
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    assert pictures
    assert {p.name: p.stat().st_size for p in pictures if p.stat().st_size >= 300_000} == {}


def test_make_targets_of_the_docs_exist():
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for path in DOCS
        for line in re.findall(
            r"(?:^ {4}|`)make ((?:[a-z][\w-]* ?)+)", path.read_text(), re.MULTILINE
        )
        for target in line.split()[:1]
    }
    assert {"run", "test"} <= named
    assert named <= targets
