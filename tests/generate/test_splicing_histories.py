"""Drawn histories can be run on pictures of every size, and are the same for all that share a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from splicing_datasets import parsed, recipe_of

from synthharm.composites.history.run import run_history
from synthharm.composites.history.steps import Blur, Crop, Filters, Jpeg, Noise, Png, Resize, Step, Webp
from synthharm.composites.history.tables import CameraTables
from synthharm.composites.history.verifying import quality_tables
from synthharm.filters import FilterChain
from synthharm.generate.splicing.histories import SMALLEST, choose, draw_history, draw_jpeg
from synthharm.recipe import SplicingRecipe, histories

CAMERAS = (
    CameraTables("ACME One", quality_tables(91), "4:2:2"),
    CameraTables("ACME Two", quality_tables(83)[::-1], "4:2:0"),
)
STEPS: dict[str, dict[str, Any]] = {
    "resize": {"factor": [0.3, 1.4], "interpolation": ["area", "linear", "cubic", "lanczos"]},
    "crop": {"keep": [0.6, 1.0]},
    "jpeg": {"quality": [40, 95], "cameras": 0.5},
    "webp": {"quality": [50, 95]},
    "noise": {"sigma": [1, 5]},
    "blur": {"sigma": [0.3, 2]},
    "filters": {"filters": ["temperature", "contrast"], "strength": 0.5},
    "preset": {"networks": ["facebook", "facebook_960", "instagram", "telegram", "twitter", "whatsapp"]},
}
names = st.lists(st.sampled_from(sorted(STEPS)), max_size=5)
sides = st.integers(8, 2500)
sizes = st.tuples(sides, sides)
seeds = st.integers(0, 2**32)


def recipe_with(steps: list[str], **changes: Any) -> SplicingRecipe:
    section = [{"step": name, **STEPS[name]} for name in steps]
    return parsed(recipe_of("source", history=[{"name": "only", "share": 1, "steps": section}], **changes))


def drawn(recipe: SplicingRecipe, seed: int, size: tuple[int, int]) -> tuple[str, list[Step], Any]:
    return draw_history(recipe, CAMERAS, np.random.default_rng(seed), size)


@dataclass(frozen=True)
class Blank:
    """A picture that is nothing but a size."""

    size: tuple[int, int]

    def after(self, step: Step) -> Blank:
        height, width = self.size
        if isinstance(step, Crop):
            assert 0 <= step.left <= step.left + step.width <= width
            assert 0 <= step.top <= step.top + step.height <= height
        if isinstance(step, Crop | Resize):
            assert min(step.width, step.height) >= 8
            return Blank((step.height, step.width))
        return self


@given(names, seeds, sizes)
def test_steps_fit_their_pictures(steps: list[str], seed: int, size: tuple[int, int]) -> None:
    name, found, save = drawn(recipe_with(steps), seed, size)
    assert name == "only"
    picture = Blank(size)
    for step in found:
        before, picture = picture, picture.after(step)
        if isinstance(step, Resize | Crop):  # a side that is short already stays as it is
            assert (
                all(new >= min(old, SMALLEST) for new, old in zip(picture.size, before.size, strict=True))
                or "preset" in steps
            )
    for step in [*found, save]:
        assert msgspec.convert(msgspec.to_builtins(step), Step) == step


@settings(max_examples=40)
@given(names, seeds, st.tuples(st.integers(8, 90), st.integers(8, 90)))
def test_every_drawn_history_can_be_run(steps: list[str], seed: int, size: tuple[int, int]) -> None:
    _, found, save = drawn(recipe_with(steps), seed, size)
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    saved = run_history(image, {"mask": np.full(size, 255, np.uint8)}, [*found, save])
    picture = Blank(size)
    for step in found:
        picture = picture.after(step)
    assert saved.image.shape[:2] == picture.size == saved.labels["mask"].shape


def relative(steps: list[Step]) -> list[Any]:
    """What of steps does not hang on the size."""
    found = []
    for step in steps:
        plain = msgspec.to_builtins(step)
        if isinstance(step, Resize | Crop):
            plain = {key: value for key, value in plain.items() if key in ("step", "interpolation")}
        found.append(plain)
    return found


@given(names.filter(lambda found: "preset" not in found), seeds, sizes, sizes)
def test_two_sizes_go_through_the_same(
    steps: list[str], seed: int, one: tuple[int, int], other: tuple[int, int]
) -> None:
    recipe = recipe_with(steps)
    name, first, save = drawn(recipe, seed, one)
    again, second, same = drawn(recipe, seed, other)
    assert (name, relative(first), save) == (again, relative(second), same)


@given(seeds, st.integers(300, 900), st.integers(300, 900))
def test_two_sizes_are_scaled_and_cropped_alike(seed: int, height: int, width: int) -> None:
    recipe = recipe_with(["resize", "crop"])
    (resize, crop), (doubled, cropped) = (
        drawn(recipe, seed, size)[1] for size in ((height, width), (2 * height, 2 * width))
    )
    assert isinstance(resize, Resize)
    assert isinstance(doubled, Resize)
    assert isinstance(crop, Crop)
    assert isinstance(cropped, Crop)
    assert abs(doubled.width - 2 * resize.width) <= 2
    assert abs(doubled.height - 2 * resize.height) <= 2
    for name in ("left", "top", "width", "height"):
        assert abs(getattr(cropped, name) - 2 * getattr(crop, name)) <= 26  # the corner leaves the grid, twice


@given(st.lists(st.sampled_from(["facebook", "telegram", "whatsapp"]), min_size=1), seeds, sizes, sizes)
def test_two_sizes_go_through_the_same_network(
    networks: list[str], seed: int, one: tuple[int, int], other: tuple[int, int]
) -> None:
    steps = [{"step": "preset", "networks": networks}, {"step": "noise", "sigma": [1, 5]}]
    history = [{"name": "only", "share": 1, "steps": steps}]
    recipe = parsed(recipe_of("source", history=history))
    found = [drawn(recipe, seed, size) for size in (one, other)]
    assert found[0][1][-1] == found[1][1][-1]  # what is drawn after the network
    assert found[0][2] == found[1][2]
    jpegs = [[s for s in steps if isinstance(s, Jpeg)] for _, steps, _ in found]
    assert len({jpeg.name for both in jpegs for jpeg in both}) <= 1


def crop_of(seed: int, size: tuple[int, int], keep: list[float]) -> Crop:
    steps = [{"step": "crop", "keep": keep}]
    recipe = parsed(recipe_of("source", history=[{"name": "only", "share": 1, "steps": steps}]))
    _, (crop,), _ = drawn(recipe, seed, size)
    assert isinstance(crop, Crop)
    Blank(size).after(crop)
    return crop


@given(seeds, sizes, st.lists(st.floats(0.05, 1), min_size=2, max_size=2).map(sorted))
def test_a_crop_shifts_the_grid(seed: int, size: tuple[int, int], keep: list[float]) -> None:
    crop = crop_of(seed, size, keep)
    if crop.left % 8 == 0 and crop.top % 8 == 0:
        assert (crop.height, crop.width) == size, f"{crop} of {size} could have been shifted"


def test_a_crop_shifts_the_grid_with_a_few_pixels_of_room() -> None:
    recipe = recipe_with(["crop"])
    for seed in range(15):
        for size in np.ndindex(12, 12):
            height, width = size[0] + 62, size[1] + 62
            _, (crop,), _ = drawn(recipe, seed, (height, width))
            assert isinstance(crop, Crop)
            if crop.left % 8 == 0 and crop.top % 8 == 0:
                assert (crop.height, crop.width) == (height, width), f"{crop} could have been shifted"


@given(seeds, st.tuples(st.integers(640, 2500), st.integers(640, 2500)), st.floats(0.3, 0.95))
def test_a_crop_keeps_the_share(seed: int, size: tuple[int, int], keep: float) -> None:
    crop = crop_of(seed, size, [keep, keep])
    assert (crop.height, crop.width) == tuple(min(round(side * keep), side - 8) for side in size)


@given(names, seeds, sizes)
def test_drawn_numbers_are_within_their_ranges(steps: list[str], seed: int, size: tuple[int, int]) -> None:
    _, found, save = drawn(recipe_with([name for name in steps if name != "preset"]), seed, size)
    for step in [*found, save]:
        match step:
            case Noise():
                assert 1 <= step.sigma <= 5
            case Blur():
                assert 0.3 <= step.sigma <= 2
            case Webp():
                assert 50 <= step.quality <= 95
            case Filters():
                chain = FilterChain(["temperature", "contrast"])
                for column, parameter in zip(chain.columns, chain.parameters, strict=True):
                    assert abs(step.arguments[column] - parameter.neutral) <= 0.5 * parameter.span + 1e-12
            case Jpeg() if step.quality is None:
                known = {camera.name: (camera.tables, camera.subsampling) for camera in CAMERAS}
                assert known[step.name or ""] == (step.tables, step.subsampling)
            case Jpeg():
                assert step.tables is None
                assert step.name is None


@pytest.mark.parametrize("steps", [[], ["crop", "noise"], ["jpeg"]])
def test_the_last_save_is_the_encoding(steps: list[str]) -> None:
    png = recipe_with(steps, encoding={"format": "png", "compression": 7}, grids=None)
    jpeg = recipe_with(steps, encoding={"format": "jpeg", "quality": [80, 82], "subsampling": ["4:2:2"]})
    camera = recipe_with(steps, encoding={"format": "jpeg", "cameras": 1.0})
    qualities, cameras = set(), set()
    for seed in range(60):
        assert drawn(png, seed, (200, 300))[2] == Png(7)
        save = drawn(jpeg, seed, (200, 300))[2]
        assert (save.tables, save.subsampling, save.name) == (None, "4:2:2", None)
        qualities.add(save.quality)
        by_tables = drawn(camera, seed, (200, 300))[2]
        assert by_tables.quality is None
        cameras.add(by_tables.name)
    assert qualities == {80, 81, 82}
    assert cameras == {"ACME One", "ACME Two"}


def test_histories_and_cameras_come_by_their_shares() -> None:
    recipe = parsed(recipe_of("source"))
    random, names = np.random.default_rng(0), []
    for _ in range(2000):
        names.append(draw_history(recipe, CAMERAS, random, (128, 160))[0])
    for history in recipe.history:
        assert names.count(history.name) / 2000 == pytest.approx(history.share, abs=0.05)
    section = histories.JpegSave(cameras=0.25)
    by_camera = [draw_jpeg(section, CAMERAS, random).tables is not None for _ in range(2000)]
    assert np.mean(by_camera) == pytest.approx(0.25, abs=0.05)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6).filter(any), seeds)
def test_nothing_without_a_share_is_chosen(shares: list[float], seed: int) -> None:
    assert shares[choose(np.random.default_rng(seed), shares)] > 0
