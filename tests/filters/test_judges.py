"""What arguments come to: judged in plain NumPy, by the chain's own functions, and compiled on a sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from synthharm.filters import FILTERS, PAPER, FilterChain, Limits
from synthharm.filters.drawing import Judgement
from synthharm.filters.drawing.judge import ReferenceJudge
from synthharm.filters.filter import region_positions
from synthharm.filters.fused import NotCompiled, Scene
from synthharm.filters.fused.disharmonize import RegionJudge
from synthharm.filters.fused.judge import SampleJudge
from synthharm.filters.fused.scene import evenly
from synthharm.filters.pixels import Pixels

SIZE = (8, 11)
ANYTHING = Limits(unrecoverable=1, recovery=0)
CHAINS = (
    PAPER,
    ("gamma",),
    ("shading", "hue"),
    ("saturation", "contrast"),  # the background's channels mix before its means are taken
    ("shading", "contrast", "vibrance", "temperature"),
)
FIELDS = ("lost", "error", "difference", "means", "deviations")


def scene(mask: str, seed: int = 0, kind: type = np.uint8) -> Scene:
    """Noise with black and white in it, and a region that does not reach all borders."""
    rng, levels = np.random.default_rng(seed), int(np.iinfo(kind).max)
    image = rng.integers(levels // 3, 2 * levels // 3, (*SIZE, 3)).astype(kind)
    image[3, 2:5], image[5, 5:7] = 0, levels  # at no soft edge
    inside = np.zeros(SIZE, np.uint8)
    inside[1:7, 2:9] = 255
    if mask == "soft":
        inside[2:6, 7:9] = rng.integers(90, 250, (4, 2))
    if mask == "all":
        inside[:] = 255
    return Scene(image, inside)


def as_tensors(made: Scene) -> tuple[Tensor, Tensor]:
    real = torch.from_numpy(made.image / made.levels).permute(2, 0, 1)[None]
    return real, torch.from_numpy(made.mask / 255)[None, None]


def as_pixels(chain: FilterChain, made: Scene) -> Pixels:
    real, mask = as_tensors(made)
    return Pixels.of(real, mask, None, region_positions(mask) if chain.needs_positions else None)


def rows_of(chain: FilterChain, share: float = 0.4) -> Tensor:
    """Neutral arguments, and some to either side."""
    shares = [[0.0] * len(chain.parameters)]
    shares += [[side * share * (-1) ** i for i in range(len(chain.parameters))] for side in (1, -1)]
    rows = [[p.neutral + s * p.span for p, s in zip(chain.parameters, row, strict=True)] for row in shares]
    return torch.tensor(rows, dtype=torch.float64)


def check_alike(found: Judgement, expected: Judgement) -> None:
    for name in FIELDS:
        one, other = getattr(found, name), getattr(expected, name)
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("levels", [255, 65535, 100])
@pytest.mark.parametrize("mask", ["solid", "soft"])
@pytest.mark.parametrize("filters", [PAPER, ("shading", "hue")])
def test_the_reference_judges_as_plain_numpy_does(filters: tuple[str, ...], mask: str, levels: int) -> None:
    chain, made = FilterChain(filters), scene(mask)
    real, alphas = as_tensors(made)
    values = rows_of(chain)
    judge = ReferenceJudge(chain, as_pixels(chain, made), Limits(levels=levels))
    found = judge(torch.zeros(len(values), dtype=torch.int64), values)
    where = made.mask > 0
    for i, row in enumerate(values):
        inverse = chain.invert(real, alphas, row[None])
        rounded = (inverse.composites * levels).round() / levels
        back = chain.apply(rounded, alphas, row[None])
        wanted, written, harmonized = (t[0].numpy()[:, where] for t in (real, rounded, back))
        kept = inverse.recoverable[0, 0].numpy()[where]
        assert float(found.lost[i]) == pytest.approx(1 - kept.mean(), abs=1e-12)
        assert float(found.error[i]) == pytest.approx(((harmonized - wanted)[:, kept] ** 2).mean(), abs=1e-12)
        difference = ((255 * written - 255 * wanted) ** 2).mean()
        assert float(found.difference[i]) == pytest.approx(difference, rel=1e-6, abs=1e-12)
        np.testing.assert_allclose(found.means[i], written.mean(axis=1), atol=1e-9)
        np.testing.assert_allclose(found.deviations[i], written.std(axis=1), atol=1e-9)


def test_an_empty_region_loses_nothing() -> None:
    chain = FilterChain(["gamma"])
    empty = Pixels.of(torch.full((1, 3, 2, 2), 0.5), torch.zeros(1, 1, 2, 2), None, None)
    found = ReferenceJudge(chain, empty, Limits())(torch.tensor([0]), torch.tensor([[0.3]]))
    assert all(not getattr(found, name).any() for name in FIELDS)


@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize("mask", ["solid", "soft", "all"])
@pytest.mark.parametrize("filters", CHAINS)
def test_compiled_judgements_equal_the_reference(filters: tuple[str, ...], mask: str, statistics: str) -> None:
    chain, made = FilterChain(filters, statistics), scene(mask)  # type: ignore[arg-type]
    share = 0.06 if mask == "soft" else 0.25  # where soft edges have no composite, either gives one as near
    values, rows = rows_of(chain, share), torch.zeros(3, dtype=torch.int64)
    found = SampleJudge.of(chain, made, ANYTHING, 1000)(rows, values)
    expected = ReferenceJudge(chain, as_pixels(chain, made), ANYTHING)(rows, values)
    assert float(expected.lost[0]) == 0
    assert [tuple(getattr(found, name).shape) for name in FIELDS] == [(3,)] * 3 + [(3, 3)] * 2
    check_alike(found, expected)


@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_is_judged_compiled_as_by_the_reference(name: str) -> None:
    chain, made = FilterChain([name]), scene("solid", 1)
    values, rows = rows_of(chain, 0.8), torch.zeros(3, dtype=torch.int64)
    found = SampleJudge.of(chain, made, ANYTHING, 1000)(rows, values)
    check_alike(found, ReferenceJudge(chain, as_pixels(chain, made), ANYTHING)(rows, values))


@pytest.mark.parametrize("levels", [255, 65535])
def test_composites_are_judged_as_they_are_rounded(levels: int) -> None:
    chain, made, limits = FilterChain(["vibrance", "contrast"]), scene("solid", 2), Limits(levels=levels)
    values, rows = rows_of(chain), torch.zeros(3, dtype=torch.int64)
    found = SampleJudge.of(chain, made, limits, 1000)(rows, values)
    check_alike(found, ReferenceJudge(chain, as_pixels(chain, made), limits)(rows, values))
    deep = scene("solid", 2, np.uint16)
    found = SampleJudge.of(chain, deep, limits, 1000)(rows, values)
    check_alike(found, ReferenceJudge(chain, as_pixels(chain, deep), limits)(rows, values))


def sampled(chain: FilterChain, made: Scene, size: int, background_too: bool) -> Pixels:
    """A sample of the region that counts as much as all of it; and of the background, or all of that."""
    inside, outside = (np.flatnonzero(made.mask.ravel() > 0), np.flatnonzero(made.mask.ravel() == 0))
    picks = inside[evenly(len(inside), size)]
    rest = outside[evenly(len(outside), size)] if background_too else outside
    both = np.concatenate([picks, rest])
    each = [len(inside) / len(picks)] * len(picks) + [len(outside) / len(rest)] * len(rest)
    real, mask = as_tensors(made)
    places = region_positions(mask)
    images, masks, positions = (t.flatten(2)[:, :, both, None] for t in (real, mask, places))
    counts = torch.tensor(each, dtype=torch.float64).reshape(1, 1, -1, 1)
    return Pixels(images, masks, counts, positions if chain.needs_positions else None)


@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize(
    ("filters", "background_too"),
    [
        (("contrast", "gamma"), False),
        (("shading", "temperature"), False),
        (("vibrance", "contrast"), True),
        (("shading", "hue"), True),
    ],
)
def test_a_sample_counts_as_the_whole(filters: tuple[str, ...], background_too: bool, statistics: str) -> None:
    """Its pixels stand for all of the region's; the background is sampled only where channels mix in it."""
    chain, made = FilterChain(filters, statistics), scene("solid", 3)  # type: ignore[arg-type]
    values, rows = rows_of(chain, 0.25), torch.zeros(3, dtype=torch.int64)
    found = SampleJudge.of(chain, made, ANYTHING, 13)(rows, values)
    check_alike(found, ReferenceJudge(chain, sampled(chain, made, 13, background_too), ANYTHING)(rows, values))


def test_a_row_is_judged_by_itself() -> None:
    chain, made = FilterChain(PAPER), scene("soft", 4)
    values = rows_of(chain)
    judge = SampleJudge.of(chain, made, ANYTHING, 20)
    together = judge(torch.zeros(3, dtype=torch.int64), values)
    for i in range(3):
        alone = judge(torch.tensor([0]), values[i : i + 1])
        for name in FIELDS:
            assert torch.equal(getattr(together, name)[i : i + 1], getattr(alone, name))


def test_lost_pixels_are_counted() -> None:
    """Brightness 0.5 makes nothing darker than black; brightness -0.5 gives no grey above a half."""
    image = np.full((2, 5, 3), 60, np.uint8)
    image[0] = 200
    image[0, 0] = [60, 60, 200]  # lost by one channel
    made = Scene(image, np.full((2, 5), 255, np.uint8))
    judge = SampleJudge.of(FilterChain(["brightness"]), made, ANYTHING, 100)
    found = judge(torch.zeros(2, dtype=torch.int64), torch.tensor([[-0.5], [0.5]]))
    assert found.lost.tolist() == pytest.approx([0.5, 0.0])
    soft = Scene(image, np.full((2, 5), 128, np.uint8))
    found = SampleJudge.of(FilterChain(["brightness"]), soft, ANYTHING, 100)(
        torch.zeros(1, dtype=torch.int64), torch.tensor([[-0.5]], dtype=torch.float64)
    )  # at a half the brightest that a blend can be is 0.75
    assert found.lost.tolist() == pytest.approx([0.5])


@pytest.mark.parametrize("filters", [("contrast", "gamma"), ("shading", "hue")])
def test_all_pixels_are_judged_as_a_sample_of_all_is(filters: tuple[str, ...]) -> None:
    chain, made = FilterChain(filters), scene("solid", 5)
    sample, whole = SampleJudge.of(chain, made, ANYTHING, 1000), RegionJudge(chain, made, ANYTHING, {})
    for row in rows_of(chain, 0.3):
        one = torch.tensor([0]), row[None]
        check_alike(whole(*one), sample(*one))


def test_a_chain_without_a_compiled_form_has_no_judge() -> None:
    own = FilterChain([type(FILTERS["gamma"])("own", lambda i, a, k: i, lambda i, a, k: i, ())])
    with pytest.raises(NotCompiled, match="'own' has no compiled form"):
        SampleJudge.of(own, scene("all"), ANYTHING, 10)
