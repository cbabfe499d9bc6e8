"""A recipe is refused with every mistake named by its place, whatever the file says; nothing else can happen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_cases import FOUR, SHIPPED, mistakes, refusal

from synthharm.errors import SynthharmError
from synthharm.recipe import load_recipe, parse_recipe


def test_all_mistakes_are_listed_at_once_each_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        """# a comment
samples: many
sede: 3
source:
  format: coco
  crowds: 1

chain:
  filters: [tempreture]
draw:
  unrecoverable: 2
  recovery: .nan
encoding:
  format: gif
writer: {format: folder, subset: A}
split: {train: 0.5}
"""
    )
    lines = refusal(path).splitlines()
    assert lines[0] == f"recipe {path}: 10 mistakes"
    found = {line.strip().split(": ")[1]: line.strip().split(": ")[0] for line in lines[1:]}
    assert found == {
        "samples": "line 2",
        "sede": "line 3",
        "data": "line 2",  # where the mapping begins that it is missing from
        "source.crowds": "line 6",
        "chain": "line 8",
        "draw.unrecoverable": "line 11",
        "draw.recovery": "line 12",
        "encoding.format": "line 14",
        "writer.subset": "line 15",
        "split": "line 16",
    }


@pytest.mark.parametrize(
    ("change", "key", "nearest"),
    [
        ({"sampels": 3}, "sampels", "samples"),
        ({"shards": 3}, "shards", "shard"),
        ({"draw": {"unrecovrable": 0.1}}, "draw.unrecovrable", "unrecoverable"),
        ({"composite": {"feathr": 1}}, "composite.feathr", "feather"),
        ({"source": {"format": "coco", "annotation": "a"}}, "source.annotation", "annotations"),
        ({"source": {"format": "folder", "mask": "a"}}, "source.mask", "masks"),
        ({"source": {"format": "iharmony4", "subset": ["a"]}}, "source.subset", "subsets"),
        ({"source": {"format": "huggingface", "images": "a"}}, "source.images", "image"),
        ({"writer": {"format": "iharmony4", "subsets": "A"}}, "writer.subsets", "subset"),
    ],
)
def test_an_unknown_key_gets_the_nearest_known_one(
    tmp_path: Path, change: dict[str, Any], key: str, nearest: str
) -> None:
    problem = next(p for p in mistakes(tmp_path, **change) if f": {key}: " in p)
    assert re.match(
        rf"line \d+: {re.escape(key)}: unknown key; did you mean '{nearest}'\? accepted here: ", problem
    )
    accepted = problem.rpartition("accepted here: ")[2].split(", ")
    assert nearest in accepted
    assert key.rpartition(".")[2] not in accepted


def test_only_the_keys_of_the_named_format_are_offered(tmp_path: Path) -> None:
    problem = mistakes(tmp_path, source={"format": "folder", "annotations": "a"})[0]
    offered = problem.rpartition("accepted here: ")[2].split(", ")
    assert set(offered) == {"format", "max_pixels", "images", "masks", "mask_name", "licence", "attribution"}


def test_a_key_unlike_any_other_gets_no_guess(tmp_path: Path) -> None:
    assert "did you mean" not in mistakes(tmp_path, zzzzzzzz=1)[0]


@pytest.mark.parametrize("section", ["source", "writer"])
@pytest.mark.parametrize("value", [{}, {"format": "cocoo"}, {"format": None}, {"format": ["coco"]}])
def test_an_unknown_format_gets_those_that_there_are(tmp_path: Path, section: str, value: Any) -> None:
    known = {"source": ["coco", "folder", "iharmony4", "huggingface"], "writer": ["folder", "iharmony4"]}[section]
    (problem,) = mistakes(tmp_path, **{section: value})
    assert f": {section}: " in problem
    assert all(repr(name) in problem for name in known)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"samples": "3"}, "samples"),
        ({"samples": 3.0}, "samples"),
        ({"samples": True}, "samples"),
        ({"samples": None}, "samples"),
        ({"seed": -1}, "seed"),
        ({"data": 3}, "data"),
        ({"draw": {"recovery": "35"}}, "draw.recovery"),
        ({"draw": {"recovery": float("nan")}}, "draw.recovery"),
        ({"draw": {"recovery": float("inf")}}, "draw.recovery"),
        ({"composite": {"soft": "yes"}}, "composite.soft"),
        ({"composite": {"soft": 1}}, "composite.soft"),
        ({"composite": {"feather": -1}}, "composite.feather"),
        ({"composite": {"kind": "splice"}}, "composite.kind"),
        ({"select": {"area_share": [0.5, 0.1]}}, "select.area_share"),
        ({"select": {"area_share": [0.1]}}, "select.area_share"),
        ({"select": {"area_share": [0, 0.1, 1]}}, "select.area_share"),
        ({"select": {"area_share": [-0.1, 0.5]}}, "select.area_share.0"),
        ({"select": {"area_share": [0.1, float("nan")]}}, "select.area_share.1"),
        ({"select": {"side": [0, 5]}}, "select.side.0"),
        ({"select": {"categories": []}}, "select.categories"),
        ({"select": None}, "select"),
        ({"chain": {"filters": []}}, "chain.filters"),
        ({"chain": {"filters": ["shadow", "shadow"]}}, "chain"),
        ({"chain": {"filters": "shadow"}}, "chain.filters"),
        ({"chain": {"spans": {"sepia": 0.1}}}, "chain"),
        ({"chain": {"spans": {"shadow": 1.5}}}, "chain"),
        ({"chain": {"spans": {"shadow": float("nan")}}}, "chain.spans.shadow"),
        ({"chain": {"statistics": "patch"}}, "chain.statistics"),
        ({"source": {"format": "folder", "mask_name": "mask"}}, "source.mask_name"),
        ({"source": {"format": "huggingface", "limit": 0}}, "source.limit"),
        ({"writer": {"format": "iharmony4", "subset": "H_Synth"}}, "writer.subset"),
        ({"split": {"train": 0.5, "test": 0.4}}, "split"),
        ({"split": {}}, "split"),
        ({"split": {"tr ain": 1.0}}, "split"),
        ({"split": {"": 1.0}}, "split"),
        ({"split": {"train": 2, "test": -1}}, "split.train"),
        ({"split": "train"}, "split"),
        ({"split": "source"}, "split"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(tmp_path: Path, change: dict[str, Any], key: str) -> None:
    problems = mistakes(tmp_path, **change)
    assert any(re.match(rf"line \d+: {re.escape(key)}: (?!is missing)", problem) for problem in problems), problems


@pytest.mark.parametrize("split", [3, "train", {"train": 2.0}, {"train": "all"}])
def test_one_mistake_is_counted_once(tmp_path: Path, split: Any) -> None:
    assert len(mistakes(tmp_path, split=split)) == 1


def test_the_iharmony4_layout_refuses_other_encodings_and_splits(tmp_path: Path) -> None:
    for format_ in ("png", "png16"):
        (problem,) = mistakes(tmp_path, writer=FOUR["writer"], encoding={"format": format_})
        assert "jpeg" in problem
    (problem,) = mistakes(tmp_path, **FOUR, split={"train": 0.8, "val": 0.2})
    assert "train and test" in problem
    (problem,) = mistakes(tmp_path, **FOUR, split="source")
    assert "split: source" in problem


def test_a_message_does_not_repeat_the_whole_recipe(tmp_path: Path) -> None:
    for change in ({"split": "source"}, {"writer": FOUR["writer"]}, {"writer": FOUR["writer"], "split": {"a": 1}}):
        for problem in mistakes(tmp_path, **change):
            assert "'samples'" not in problem


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"- samples\n",
        b"samples: 3\nsamples: 4\n",
        b"\xff\xfe\x00",
        bytes(range(256)),
        b"samples: 3\x00\n",
        b"\x89PNG\r\n\x1a\n\x00\x00",
        b"data: !!python/object/apply:os.getcwd []\n",
        b"data: !!binary aGk=\n",
        b"data: !!timestamp 2020-01-01\n",
        b"split: !!set {train}\n",
        b"seed: !!int ''\n",
        b"a: &a [*a]\n",
    ],
)
def test_a_file_that_is_no_recipe_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    assert str(path) in refusal(path)


def test_a_file_that_cannot_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / ("n" * 300)):
        assert f"recipe {path}: cannot be read" in refusal(path)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8")))
def test_any_file_is_a_recipe_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    refusal(path)  # nothing that short is one


@contextmanager
def refused_by_name(name: str) -> Iterator[None]:
    """Nothing is raised in the block but, it may be, a SynthharmError that names `name`."""
    message = name
    try:
        yield
    except SynthharmError as error:
        message = str(error)
    assert name in message


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["coco", "jpeg"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(
    [
        "samples",
        "seed",
        "data",
        "source",
        "source.format",
        "select",
        "select.area_share",
        "select.side",
        "composite",
        "chain",
        "chain.filters",
        "chain.spans",
        "draw",
        "draw.recovery",
        "encoding",
        "encoding.quality",
        "writer",
        "writer.format",
        "split",
        "split.train",
        "shard",
        "other",
    ]
)


@settings(deadline=None)
@given(st.sampled_from(SHIPPED), st.dictionaries(keys, values, min_size=1, max_size=3))
def test_any_value_anywhere_is_accepted_or_refused(
    tmp_path_factory: pytest.TempPathFactory, shipped: Path, changes: dict[str, Any]
) -> None:
    data = yaml.safe_load(shipped.read_text())
    for place, value in changes.items():
        *outer, last = place.split(".")
        inner = data
        for key in outer:
            inner = inner.setdefault(key, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict):
            inner[last] = value
    path = tmp_path_factory.getbasetemp() / "changed.yaml"
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    with refused_by_name(str(path)):
        recipe = load_recipe(path)
        assert recipe == parse_recipe(recipe.model_dump_json())


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SHIPPED), st.data())
def test_a_slip_of_the_keyboard_is_accepted_or_refused(
    tmp_path_factory: pytest.TempPathFactory, shipped: Path, data: st.DataObject
) -> None:
    text = re.sub("^#.*\n", "", shipped.read_text(), flags=re.MULTILINE)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 6)))
    typed = data.draw(st.text("abz019 :-{}[]'\"#&*!|>%@`\n\t.,\x00\ud7ff~<?", max_size=4))
    path = tmp_path_factory.getbasetemp() / "slipped.yaml"
    path.write_text(text[:start] + typed + text[end:], encoding="utf-8")
    with refused_by_name(str(path)):
        load_recipe(path)
