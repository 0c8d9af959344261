"""Imports go one way: lib → workspaces → frames → search → the roof. Inside functions, too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = ("stackmemory.lib", "workspaces", "frames", "search", "stackmemory")  # lowest first
OWN = ("stackmemory", "workspaces", "frames", "search", "tests", "bench")


def modules() -> list[Path]:
    return [
        path
        for package in ("stackmemory", "workspaces", "frames", "search")
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int | None:
    """The floor a module is on; None for what is not ours."""
    for number, floor in enumerate(FLOORS):
        if module == floor or module.startswith(f"{floor}."):
            return number
    return None


def imports(tree: ast.AST, module: str) -> Iterator[tuple[ast.AST, str]]:
    """Every module imported anywhere in the file. `from a import b` counts as a and as a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = module.split(".")[: -node.level]
                base = ".".join([*parent, base]).rstrip(".")
            yield from ((node, f"{base}.{alias.name}") for alias in node.names)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def outermost(node: ast.AST) -> Iterator[ast.AST]:
    """The functions that are in no other function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
        else:
            yield from outermost(child)


def is_ours(name: str) -> bool:
    return name.split(".")[0] in OWN


def test_imports_go_one_way():
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} may not import {name}"
        for path in modules()
        for node, name in imports(parsed(path), name_of(path))
        if is_ours(name)
        and ((theirs := floor_of(name)) is None or theirs > (floor_of(name_of(path)) or 0))
    ]
    assert wrong == []


def test_no_import_of_ours_hides_in_a_function():
    hidden = [
        f"{path.relative_to(ROOT)}:{node.lineno} imports {name}"
        for path in modules()
        for function in outermost(parsed(path))
        for node, name in imports(function, name_of(path))
        if is_ours(name)
    ]
    assert hidden == []


def test_the_law_is_enforced():
    """Upwards, sideways into the tests and hidden imports are each found."""
    tree = ast.parse("from frames import ingest\ndef f():\n    import search.models")
    found = [name for _, name in imports(tree, "workspaces.x")]
    assert found == ["frames.ingest", "search.models"]
    [function] = outermost(
        ast.parse("class A:\n  if 1:\n    def f():\n      def g(): import frames")
    )
    assert [name for _, name in imports(function, "workspaces.x")] == ["frames"]
    assert floor_of("stackmemory.lib.uuid7") == 0
    assert floor_of("stackmemory.library") == 4
    assert floor_of("workspaces.models") < floor_of("frames.models") < floor_of("stackmemory.urls")
    assert floor_of("tests.conftest") is None
