"""Presets make a picture no larger than they say, keep its shape, and save it in their qualities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from synthharm.composites.history.presets import PRESETS, preset_steps
from synthharm.composites.history.run import run_history
from synthharm.composites.history.steps import Jpeg, Resize

names = st.sampled_from(sorted(PRESETS))
sizes = st.tuples(st.integers(8, 6000), st.integers(8, 6000))
uniforms = st.floats(0, 1, exclude_max=True)


@given(names, sizes, uniforms)
@example("telegram", (1280, 900), 0.5)
def test_only_what_is_larger_is_resized_and_its_shape_is_kept(
    name: str, size: tuple[int, int], uniform: float
) -> None:
    steps, preset = preset_steps(name, size, uniform), PRESETS[name]
    assert (len(steps) == 2) == (max(size) > preset.long_side)
    if isinstance(resize := steps[0], Resize):
        assert max(resize.height, resize.width) == preset.long_side
        scale = preset.long_side / max(size)
        for new, old in zip((resize.height, resize.width), size, strict=True):
            assert new == 8 > old * scale or abs(new - old * scale) <= 0.5


@given(names, sizes, uniforms)
def test_the_last_step_is_a_jpeg_of_the_preset(name: str, size: tuple[int, int], uniform: float) -> None:
    jpeg, preset = preset_steps(name, size, uniform)[-1], PRESETS[name]
    assert isinstance(jpeg, Jpeg)
    assert jpeg.quality is not None
    assert preset.qualities[0] <= jpeg.quality <= preset.qualities[1]
    assert (jpeg.tables, jpeg.subsampling, jpeg.name) == (None, preset.subsampling, name)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_each_quality_is_as_likely_as_the_others(name: str) -> None:
    low, high = PRESETS[name].qualities
    count = high - low + 1
    drawn = [preset_steps(name, (100, 100), (i + 0.5) / (10 * count))[-1] for i in range(10 * count)]
    qualities = [step.quality for step in drawn if isinstance(step, Jpeg)]
    assert [qualities.count(quality) for quality in range(low, high + 1)] == [10] * count
    assert 1 <= low <= high <= 100


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_can_be_run(name: str) -> None:
    image = np.full((1100, 2100, 3), 90, np.uint8)
    saved = run_history(image, {}, preset_steps(name, (1100, 2100), 0.3))
    assert max(saved.image.shape) == min(2100, PRESETS[name].long_side)


@pytest.mark.parametrize(
    ("name", "size", "uniform", "message"),
    [
        ("orkut", (100, 100), 0.5, "there is no preset 'orkut'; accepted are facebook, "),
        ("telegram", (100, 100), 1.0, "uniform is 1.0"),
        ("telegram", (100, 100), -0.1, "uniform is -0.1"),
        ("telegram", (100, 7), 0.5, "the picture has 7 x 100 pixels"),
    ],
)
def test_other_arguments_are_refused(name: str, size: tuple[int, int], uniform: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preset_steps(name, size, uniform)
