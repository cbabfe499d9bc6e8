"""Names are unique, harmless in any list or file system, and follow from the key alone."""

from __future__ import annotations

import random
import re
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthharm.generate.names import LONGEST, _stem, clean_name, write_photo_names

# Two keys whose sha256 begins with the same eight digits.
TWINS = ("041722/image.jpg", "060981/image.jpg")

stems = st.text(max_size=90) | st.from_regex(r"[A-Za-z0-9_. -]{0,80}", fullmatch=True)
keys = st.lists(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "images/", "a/", "b/", "A/"]),
        st.sampled_from(["dog", "Dog", "dog_1", "dog-1", "dog 1", "_", "ß", "SS", ""]) | stems,
        st.sampled_from(["", ".jpg", ".png"]),
    ),
    min_size=1,
    max_size=12,
    unique=True,
)


def names_of(listed: list[str], folder: Path) -> list[str]:
    path = folder / "names.npy"
    write_photo_names(iter(listed), path)
    return [name.decode() for name in np.load(path, mmap_mode="r")]


def check_harmless(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", name)
    assert len(name) <= LONGEST


@settings(deadline=None)
@given(stems)
def test_a_clean_name_is_harmless_and_stays_as_it_is(text: str) -> None:
    name = clean_name(text)
    check_harmless(name)
    assert clean_name(name) == name == clean_name(text)
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}", text):
        assert name == text
    else:
        assert name != text


@settings(deadline=None)
@given(st.lists(stems, min_size=2, max_size=8, unique=True))
def test_different_texts_have_different_clean_names(texts: list[str]) -> None:
    assert len({clean_name(text) for text in texts}) == len(texts)


@settings(deadline=None)
@given(keys, st.randoms(use_true_random=False))
@example(list(TWINS), random.Random(0))
@example(["a/x.jpg", "b/x.jpg", clean_name("x") + ".jpg"], random.Random(0))
def test_photo_names_are_harmless_unique_and_stable(
    tmp_path_factory: pytest.TempPathFactory, listed: list[str], chance: random.Random
) -> None:
    folder = tmp_path_factory.getbasetemp()
    names = names_of(listed, folder)
    for name in names:
        check_harmless(name)
    assert len({name.lower() for name in names}) == len(listed)
    assert names_of(listed, folder) == names
    shuffled = list(enumerate(listed))
    chance.shuffle(shuffled)
    assert names_of([key for _, key in shuffled], folder) == [names[number] for number, _ in shuffled]


@settings(deadline=None)
@given(st.text(st.sampled_from("a. /é\\"), min_size=1).filter(lambda key: key.rpartition("/")[2]))
@example(".hidden.jpg")
@example("photos/..jpg")
@example("photo.")
@example("..")
def test_a_stem_is_that_of_a_path(key: str) -> None:
    assert _stem(key) == PurePosixPath(key).stem


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1])
def test_a_name_of_the_greatest_length_stays_as_it_is(length: int) -> None:
    assert (clean_name("a" * length) == "a" * length) == (length <= LONGEST)
    assert len(clean_name("a" * length)) <= LONGEST


def test_a_name_that_a_hash_makes_may_be_taken_already(tmp_path: Path) -> None:
    twice = ["a/x.jpg", "b/x.jpg"]
    taken = names_of(twice, tmp_path)
    listed = [*twice, f"c/{taken[0]}.jpg", f"d/{taken[1].upper()}.png"]
    assert len({name.lower() for name in names_of(listed, tmp_path)}) == 4


def test_a_photo_is_named_after_its_file(tmp_path: Path) -> None:
    listed = ["images/000000000072.jpg", "x/a.b-c.png", "deep/er/7"]
    assert names_of(listed, tmp_path) == ["000000000072", "a.b-c", "7"]


def test_photos_of_one_name_all_carry_a_hash(tmp_path: Path) -> None:
    names = names_of(["a/dog.jpg", "b/dog.jpg", "c/DOG.jpg", "cat.jpg"], tmp_path)
    assert names[3] == "cat"
    for name, stem in zip(names, ("dog", "dog", "DOG"), strict=False):
        assert re.fullmatch(rf"{stem}-[0-9a-f]{{8,}}", name)


def test_names_that_hashes_make_stay_what_they_are(tmp_path: Path) -> None:
    """A dataset's files are called by them, and one that is begun goes on with the same."""
    assert names_of(["a/dog.jpg", "b/dog.jpg"], tmp_path) == ["dog-635bbb14fbd323f0", "dog-74b0fe17086494bb"]


def test_long_names_keep_their_beginning_and_stay_apart(tmp_path: Path) -> None:
    listed = [f"{'long' * 30}{n}.jpg" for n in range(50)]
    names = names_of(listed, tmp_path)
    assert len(set(names)) == 50
    for name in names:
        check_harmless(name)
        assert name.startswith("longlong")


def test_file_names_that_are_no_text_have_names_too(tmp_path: Path) -> None:
    (name,) = names_of([b"\xff\xfe.jpg".decode("utf-8", "surrogateescape")], tmp_path)
    check_harmless(name)


def test_no_photos_have_no_names(tmp_path: Path) -> None:
    assert names_of([], tmp_path) == []


def test_what_is_no_file_is_called_after_its_folder(tmp_path: Path) -> None:
    assert names_of(["images/dog/", "images/cat.jpg"], tmp_path) == ["dog", "cat"]
