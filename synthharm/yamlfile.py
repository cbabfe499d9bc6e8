"""YAML in which every value knows its line: plain data only, no tags, no duplicate keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import yaml

from synthharm.errors import SynthharmError

Keys = tuple[str | int, ...]

MOST_VALUES = 10_000
DEEPEST = 100  # mappings and sequences within each other


PLAIN = {  # what a scalar without quotes stands for: YAML 1.2's core schema, so that 4:2:0 and no are text
    "null": r"^(?:~|null|Null|NULL|)$",
    "bool": r"^(?:true|True|TRUE|false|False|FALSE)$",
    "int": r"^[-+]?[0-9]+$",
    "float": r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"
    r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$",
}
TAG = "tag:yaml.org,2002:"
TAGS = {TAG + name for name in (*PLAIN, "str", "seq", "map")}


class _PlainLoader(yaml.SafeLoader):
    """Reads what JSON holds, and nothing else. What is too much or too deep is refused before it is read whole."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._nodes, self._depth = 0, 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes, self._depth = self._nodes + 1, self._depth + 1
        if self._nodes > 2 * MOST_VALUES:  # with their keys
            raise yaml.YAMLError(f"holds more than {MOST_VALUES} values")
        if self._depth > DEEPEST:
            raise yaml.YAMLError(f"nested more than {DEEPEST} deep")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        text = str(self.construct_scalar(node)).lower().replace(".inf", "inf").replace(".nan", "nan")
        return int(text) if node.tag == f"{TAG}int" else float(text)


_PlainLoader.yaml_implicit_resolvers = {}
for _name, _pattern in PLAIN.items():
    _PlainLoader.add_implicit_resolver(TAG + _name, re.compile(_pattern), None)
for _name in ("int", "float"):
    _PlainLoader.add_constructor(TAG + _name, _PlainLoader.construct_number)


@dataclass(frozen=True)
class Document:
    """Data and where each piece of it stands.

    Args:
        name: the file.
        value: the data, a mapping.
        places: by path, "line 3" or the override that set it.
    """

    name: str
    value: dict[str, Any]
    places: dict[Keys, str]

    def place_of(self, keys: Sequence[str | int]) -> str:
        """Where a path stands, or the nearest thing around it that stands anywhere."""
        for end in range(len(keys), -1, -1):
            if tuple(keys[:end]) in self.places:
                return self.places[tuple(keys[:end])]
        return "line 1"

    def path_of(self, loc: Sequence[str | int]) -> list[str | int]:
        """A validator's location without the steps that choose among kinds and are not in the data."""
        keys: list[str | int] = []
        value: Any = self.value
        for position, step in enumerate(loc):
            inside = isinstance(value, dict) and step in value
            inside = inside or (isinstance(value, list) and isinstance(step, int) and step < len(value))
            if inside:
                value = value[step]
                keys.append(step)
            elif position == len(loc) - 1 and isinstance(value, dict):
                keys.append(step)  # what is missing
        return keys

    def replaced(self, keys: Sequence[str], value: Any, place: str) -> Document:
        """The same with one value set, as by an override; mappings on the way are made.

        Raises:
            SynthharmError: on the way there is something that is not a mapping.
        """
        data = deepcopy(self.value)
        inner = data
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise SynthharmError(f"{place}: {key} is {inner!r}, which has nothing in it to set")
        inner[keys[-1]] = value
        path = tuple(keys)
        places = {old: where for old, where in self.places.items() if old[: len(path)] != path}
        return replace(self, value=data, places={**places, path: place})


def dump_yaml(value: Any) -> str:
    """Write plain data as YAML that `parse_yaml` reads back.

    Letters of all scripts are written as they are, unless the text has one of the line breaks that YAML would read
    as a space.

    Example:
        >>> print(dump_yaml({"samples": 3, "attribution": "Zoë"}))
        samples: 3
        attribution: Zoë
    """
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    if any(sign in text for sign in "\x85\u2028\u2029"):
        text = yaml.safe_dump(value, sort_keys=False)
    return text


def parse_yaml(text: str, name: str) -> Document:
    r"""Parse a mapping.

    Raises:
        SynthharmError: not YAML, not a mapping, a key twice, or a tag that stands for more than plain data.

    Example:
        >>> document = parse_yaml("samples: 3\ndraw:\n  recovery: 40\n", "a.yaml")
        >>> document.value, document.place_of(["draw", "recovery"])
        ({'samples': 3, 'draw': {'recovery': 40}}, 'line 3')
    """
    value, places = _read(text, name)
    if not isinstance(value, dict):
        raise SynthharmError(f"{name}: is not a mapping of keys to values")
    return Document(name, value, places)


def parse_override(text: str) -> tuple[list[str], Any]:
    """Split `a.b=value`; the value is read as YAML.

    Example:
        >>> parse_override("select.area_share=[0.1, 0.5]")
        (['select', 'area_share'], [0.1, 0.5])
    """
    path, equals, value = text.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise SynthharmError(f"--set {text}: key=value is accepted, with dots between nested keys")
    return keys, _read(value, f"--set {text}")[0]


def _read(text: str, name: str) -> tuple[Any, dict[Keys, str]]:
    """The data in a text, and where each piece of it stands."""
    places: dict[Keys, str] = {}
    try:
        loader = _PlainLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None, places
            _note_places(node, (), places, name)
            return loader.construct_document(node), places
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, ValueError, LookupError) as error:
        raise SynthharmError(f"{name}: is not plain YAML: {' '.join(str(error).split())}") from error


def _note_places(node: yaml.Node, keys: Keys, places: dict[Keys, str], name: str) -> None:
    if node.tag not in TAGS:
        raise SynthharmError(f"{name}: line {node.start_mark.line + 1}: the tag {node.tag!r} is not plain data")
    places.setdefault(keys, f"line {node.start_mark.line + 1}")
    if len(places) > MOST_VALUES:  # anchors within anchors can stand for more than memory holds
        raise SynthharmError(f"{name}: holds more than {MOST_VALUES} values")
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in TAGS or key == "<<":
                raise SynthharmError(f"{name}: line {line}: a plain word is accepted for a key")
            if key in seen:
                raise SynthharmError(f"{name}: line {line}: the key {key!r} is there twice")
            seen.add(key)
            places[(*keys, key)] = f"line {line}"
            _note_places(value_node, (*keys, key), places, name)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _note_places(item, (*keys, position), places, name)
