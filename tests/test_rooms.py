"""The house: which room may import which, as CONTRIBUTING.md has it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "synthharm"
TABLE = PACKAGE.parent / "CONTRIBUTING.md"
OPEN = {"errors", "__init__"}  # to all
NAMES = re.compile(r"`([a-z0-9_]+)(?:/|\.py)`")


def allowed() -> dict[str, set[str]]:
    """By room, those that it may import."""
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    found: dict[str, set[str]] = {}
    above: set[str] = set()
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 2 and NAMES.search(cells[0]):
            named = NAMES.findall(cells[0])
            above |= set(named)
            everything = cells[1].startswith(("every room", "everything below"))
            for room in named:
                found[room] = rooms - above if everything else set(NAMES.findall(cells[1]))
    return found


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The rooms that a file imports, with their lines; what is imported for types alone as well."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("synthharm"):
            parts = node.module.split(".")
            yield from ((node.lineno, name) for name in ([parts[1]] if len(parts) > 1 else []))


@pytest.mark.parametrize("room", sorted(allowed()))
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    path = PACKAGE / room
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    wrong = [
        f"{file.relative_to(PACKAGE)}:{line}: {name}"
        for file in files
        for line, name in imports(file)
        if name not in allowed()[room] | OPEN | {room}
    ]
    assert files
    assert wrong == []


def test_the_table_has_every_room() -> None:
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - OPEN - {"__main__"} <= set(allowed())
