"""YAML whose values know their lines, and which holds plain data or is refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.errors import SynthharmError
from synthharm.yamlfile import MOST_VALUES, dump_yaml, parse_override, parse_yaml

words = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=10)
trees = st.dictionaries(
    words,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
        max_leaves=8,
    ),
    min_size=1,
    max_size=4,
)

BOMB = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@contextmanager
def refused_by_name(name: str) -> Iterator[None]:
    """Nothing is raised in the block but, it may be, a SynthharmError that names `name`."""
    message = name
    try:
        yield
    except SynthharmError as error:
        message = str(error)
    assert name in message


@settings(deadline=None)
@given(trees)
def test_what_is_dumped_is_read_back(tree: dict[str, Any]) -> None:
    assert parse_yaml(dump_yaml(tree), "a.yaml").value == tree


@pytest.mark.parametrize("word", ["\x85", "a\u2028b", "\u2029", "Zoë 山"])
def test_words_keep_their_line_breaks_and_letters(word: str) -> None:
    text = dump_yaml({word: [word]})
    assert parse_yaml(text, "a.yaml").value == {word: [word]}
    assert ("山" in text) == ("山" in word)


@settings(deadline=None)
@given(st.lists(words, min_size=1, max_size=6, unique=True), st.data())
def test_every_key_knows_its_line(keys: list[str], data: st.DataObject) -> None:
    lines, expected = [], {}
    for key in keys:
        lines += [""] * data.draw(st.integers(0, 2))
        lines.append(f"{key}:")
        expected[(key,)] = len(lines)
        for inner in ("first", "second"):
            lines.append(f"  {inner}: [1, 2]")
            expected[key, inner] = expected[key, inner, 1] = len(lines)
    document = parse_yaml("\n".join(lines), "a.yaml")
    assert {path: document.place_of(path) for path in expected} == {p: f"line {n}" for p, n in expected.items()}


def test_what_stands_nowhere_is_placed_at_what_is_around_it() -> None:
    document = parse_yaml("\n\na:\n  b:\n    c: 1\n", "a.yaml")
    assert document.place_of(["a", "b", "missing"]) == "line 4"
    assert document.place_of(["a", "missing", "c"]) == "line 3"
    assert document.place_of(["missing"]) == "line 3"


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_a_mapping_or_refused(text: str) -> None:
    with refused_by_name("a.yaml: "):
        value = parse_yaml(text, "a.yaml").value
        assert isinstance(value, dict)
        json.dumps(value)  # plain data


@pytest.mark.parametrize(
    "tag",
    ["int", "float", "bool", "null", "timestamp", "binary", "set", "omap", "pairs", "str", "seq", "map", "x"],
)
def test_a_tag_gives_what_json_holds_or_is_refused(tag: str) -> None:
    for value in ("''", "word", "3", "aGk=", "2024-01-01", "{b: 1}", "[b, c]", "[b: 1]"):
        for text in (f"a: !!{tag} {value}", f"!!{tag} {value}: 1", f"!!{tag} {{a: 1}}"):
            with refused_by_name("a.yaml: "):
                found = parse_yaml(text, "a.yaml").value
                assert list(json.loads(json.dumps(found)).values()) == list(found.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a mapping"),
        ("# nothing\n", "not a mapping"),
        ("3", "not a mapping"),
        ("- a\n- b\n", "not a mapping"),
        ("a: 1\n---\nb: 2\n", "not plain YAML"),
        ("a: [1", "not plain YAML"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is there twice"),
        ("a:\n  b: 1\n  'b': 2\n", "line 3: the key 'b' is there twice"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "line 3: a plain word"),
        ("? [a, b]\n: 1\n", "line 1: a plain word"),
        ("a: !!python/object/apply:os.getcwd []\n", "a.yaml"),
        ("a: !!python/name:os.getcwd\n", "a.yaml"),
        ("a: &a [*a]\n", "a.yaml"),
        ("a: " + "[" * 1500, "not plain YAML"),
        ("a: " + "9" * 5000, "not plain YAML"),
        ("a: \x00\n", "not plain YAML"),
        ("\x07", "not plain YAML"),
        (BOMB, f"more than {MOST_VALUES} values"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_and_named(text: str, said: str) -> None:
    with pytest.raises(SynthharmError) as caught:
        parse_yaml(text, "a.yaml")
    assert str(caught.value).startswith("a.yaml: ")
    assert said in str(caught.value)


def test_as_many_values_as_allowed_are_read() -> None:
    most = MOST_VALUES - 2  # besides the mapping and the list
    assert len(parse_yaml(f"a: [{', '.join('1' * most)}]", "a.yaml").value["a"]) == most
    with pytest.raises(SynthharmError, match=f"more than {MOST_VALUES} values"):
        parse_yaml(f"a: [{', '.join('1' * (most + 1))}]", "a.yaml")


def test_dates_stay_text() -> None:
    assert parse_yaml("a: 2024-02-30\nb: [2024-01-01 10:00:00]\n", "a.yaml").value == {
        "a": "2024-02-30",
        "b": ["2024-01-01 10:00:00"],
    }
    assert parse_override("a=2024-01-01") == (["a"], "2024-01-01")


def test_an_anchor_may_be_used_twice() -> None:
    assert parse_yaml("a: &a {b: 1}\nc: *a\n", "a.yaml").value == {"a": {"b": 1}, "c": {"b": 1}}


@settings(deadline=None)
@given(st.lists(words, min_size=1, max_size=4), scalars | st.lists(st.integers(), max_size=3))
def test_an_override_sets_exactly_one_value(keys: list[str], value: Any) -> None:
    override = f"{'.'.join(keys)}={yaml.safe_dump(value, default_flow_style=True)}"
    parsed, found = parse_override(override)
    assert (parsed, found) == (keys, value)
    before = parse_yaml("OTHER: {a: 1}\n", "a.yaml")
    after = before.replaced(parsed, found, "--set")
    expected: Any = value
    for key in reversed(keys):
        expected = {key: expected}
    assert after.value == {"OTHER": {"a": 1}, **expected}
    assert before.value == {"OTHER": {"a": 1}}
    assert after.place_of(keys) == "--set"
    assert after.place_of(["OTHER", "a"]) == "line 1"


def test_an_override_forgets_where_what_it_replaced_stood() -> None:
    document = parse_yaml("\n\na:\n  b: [1, 2]\n", "a.yaml").replaced(["a"], {"b": [3]}, "--set a")
    assert document.place_of(["a", "b", 0]) == "--set a"


@pytest.mark.parametrize(
    "override",
    [
        "",
        "a",
        "=1",
        "a.=1",
        ".a=1",
        "a..b=1",
        "a=[1",
        "a=\x00",
        "a=" + "9" * 5000,
        "a=" + "[" * 1500,
        "a=!!binary aGk=",
        "a=!!bool x",
        "a=!!python/name:os.getcwd",
        "a={b: 1, b: 2}",
        "a={<<: {b: 1}}",
    ],
)
def test_a_malformed_override_is_refused_and_named(override: str) -> None:
    with pytest.raises(SynthharmError, match=r"^--set "):
        parse_override(override)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_override_is_parsed_or_refused(text: str) -> None:
    with refused_by_name(f"--set {text}: "):
        keys, value = parse_override(text)
        assert all(keys)
        json.dumps(value)


def test_an_override_cannot_go_into_a_scalar() -> None:
    document = parse_yaml("a: 3\nb: [1]\n", "a.yaml")
    for keys, found in ((["a", "c"], "a is 3"), (["b", "0"], r"b is \[1\]")):
        with pytest.raises(SynthharmError, match=f"--set x: {found}"):
            document.replaced(keys, 1, "--set x")


@pytest.mark.parametrize(
    "text", ["a: " + "[" * 30_000, "a: " + '{"a":' * 300, "".join(" " * n + "a:\n" for n in range(150))]
)
def test_what_is_nested_too_deeply_is_refused_before_it_is_read_whole(text: str) -> None:
    with pytest.raises(SynthharmError, match="nested more than 100 deep"):
        parse_yaml(text, "a.yaml")


def test_what_holds_too_much_is_refused_before_it_is_read_whole() -> None:
    """What is wrong at its end is not come to."""
    with pytest.raises(SynthharmError, match="holds more than 10000 values"):
        parse_yaml("a: [" + "x, " * (3 * MOST_VALUES) + "'", "a.yaml")
    with pytest.raises(SynthharmError, match="not plain YAML: while scanning"):
        parse_yaml("a: [" + "x, " * (MOST_VALUES // 2) + "'", "a.yaml")
