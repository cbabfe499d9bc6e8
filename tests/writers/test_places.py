"""Where files go: one place for each thing, and the same for the same thing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.writers import FolderWriter, IHarmony4Writer, Names, Writer

WRITERS: list[Writer] = [FolderWriter(), IHarmony4Writer(), IHarmony4Writer("Other")]
parts = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{0,8}", fullmatch=True)
names = st.builds(Names, st.integers(0, 2_000_000), parts, parts)


@pytest.mark.parametrize("writer", WRITERS, ids=repr)
@settings(deadline=None)
@given(first=names, second=names, suffix=st.sampled_from([".png", ".jpg"]))
def test_places_are_unique_and_consistent(writer: Writer, first: Names, second: Names, suffix: str) -> None:
    one, other = writer.place(first, suffix), writer.place(second, suffix)
    assert writer.place(first, suffix) == one
    assert set(one) == {"image", "mask", "real"}
    assert len({path.rpartition("/")[0] for path in one.values()}) == 3
    assert (one["image"] == other["image"]) == (
        first.sample == second.sample if isinstance(writer, FolderWriter) else first == second
    )
    assert (one["real"] == other["real"]) == (first.photo == second.photo)
    if isinstance(writer, IHarmony4Writer):
        same_region = (first.photo, first.region) == (second.photo, second.region)
        assert (one["mask"] == other["mask"]) == same_region
    else:
        assert (one["mask"] == other["mask"]) == (first.sample == second.sample)
    for path in one.values():
        assert not path.startswith("/")
        assert ".." not in path.split("/")
    assert one["image"].endswith(suffix)
    assert one["real"].endswith(suffix)
    assert one["mask"].endswith(".png")


def test_places_are_the_documented_ones() -> None:
    sample = Names(7, "000000000072", "591")
    assert FolderWriter().place(sample, ".png") == {
        "image": "images/000007.png",
        "mask": "masks/000007.png",
        "real": "reals/000000000072.png",
    }
    assert IHarmony4Writer("HNew").place(sample, ".jpg") == {
        "image": "HNew/composite_images/000000000072_591_8.jpg",
        "mask": "HNew/masks/000000000072_591.png",
        "real": "HNew/real_images/000000000072.jpg",
    }


@settings(deadline=None)
@given(names)
def test_iharmony4_names_are_found_by_cutting_at_underscores(sample: Names) -> None:
    paths = IHarmony4Writer().place(sample, ".jpg")
    name = paths["image"].rpartition("/")[2]
    assert f"{name.split('_')[0]}.jpg" == paths["real"].rpartition("/")[2]
    assert f"{'_'.join(name.split('_')[:-1])}.png" == paths["mask"].rpartition("/")[2]
    assert name.count("_") == 2
