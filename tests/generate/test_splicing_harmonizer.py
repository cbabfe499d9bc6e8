"""Splices harmonized by a network, and the preview of a splicing dataset."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from splicing_datasets import Made, make_dataset, parsed, plain_recipe_of, samples_of

from synthharm.composites.manipulation import Colour
from synthharm.composites.manipulation.colouring import recolour
from synthharm.errors import SynthharmError, Unusable
from synthharm.generate import make_preview
from synthharm.generate.replaying import replay
from synthharm.generate.splicing.colours import Colours
from synthharm.harmonizer import Harmonizer, HarmonizerConfig
from synthharm.masks import surroundings

KINDS = {"splice": 0.5, "harmonized_splice": 0.5}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that was not trained: what it predicts is small, and any arguments will do."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoint") / "harmonizer"
    Harmonizer(HarmonizerConfig()).save_pretrained(folder)
    return folder


def test_a_network_harmonizes_and_its_arguments_are_kept(splicing: Made, checkpoint: Path, tmp_path: Path) -> None:
    changes = {"harmonized": {"harmonizer": 1.0}, "checkpoint": str(checkpoint), "kinds": KINDS, "samples": 4}
    folder = make_dataset(plain_recipe_of(splicing.source, **changes), tmp_path / "made")
    harmonized = [record for record in samples_of(folder) if record.kind == "harmonized_splice"]
    assert len(harmonized) == 2
    for record in harmonized:
        colours = [edit["colour"] for edit in record.edits]
        assert {colour["mode"] for colour in colours} == {"harmonizer"}
        assert all(tuple(colour["filters"]) == HarmonizerConfig().filters for colour in colours)
        assert replay(record, splicing.recipe).differences == ()
    assert json.loads((folder / "plan.json").read_bytes())["recipe"]["checkpoint"] == "harmonizer"


def test_a_checkpoint_that_is_not_there_is_refused(splicing: Made, tmp_path: Path) -> None:
    changes = {"harmonized": {"harmonizer": 1.0}, "checkpoint": str(tmp_path), "kinds": KINDS, "samples": 2}
    with pytest.raises(SynthharmError, match=r"config\.json"):
        make_dataset(plain_recipe_of(splicing.source, **changes), tmp_path / "made")


@pytest.mark.parametrize("mode", ["reference", "reinhard"])
def test_strength_says_how_far_colours_go(splicing: Made, mode: str) -> None:
    """The farther, the nearer the region's mean is to its surroundings'."""
    colours = Colours.of(parsed(plain_recipe_of(splicing.source)))
    random = np.random.default_rng(4)
    image = np.clip(random.normal((150, 120, 90), 12, (64, 64, 3)), 0, 255).astype(np.uint8)
    alpha = np.zeros((64, 64), np.uint8)
    alpha[20:44, 20:44] = 255
    image[alpha > 0] = np.clip(image[alpha > 0] * (0.7, 0.8, 0.9), 0, 255).astype(np.uint8)
    wanted = image[surroundings(alpha)].mean(axis=0)
    distances = []
    for strength in (0.25, 0.5, 1.0):
        colour = colours.draw(mode, image, alpha, 3, "photo", strength)
        assert isinstance(colour, Colour)
        assert colour.strength == strength
        found = recolour(image, alpha, colour)
        distances.append(float(np.abs(found[alpha > 0].mean(axis=0) - wanted).max()))
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < distances[0] / 2


def test_a_networks_arguments_are_taken_within_their_bounds(splicing: Made) -> None:
    torch.manual_seed(0)
    network = Harmonizer(HarmonizerConfig(encoder="test_resnet")).eval()
    colours = Colours.of(parsed(plain_recipe_of(splicing.source)))
    image = np.random.default_rng(4).integers(60, 190, (48, 40, 3)).astype(np.uint8)
    alpha = np.zeros((48, 40), np.uint8)
    alpha[8:40, 8:24] = 255
    alpha[8:40, 24:30] = 100
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        predicted = network(pixels, torch.from_numpy(alpha)[None, None] / 255)[0]
    assert predicted.abs().max() < 1
    for factor in (1, 1000, -1000):

        class Louder(Harmonizer):
            def forward(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
                return factor * super().forward(image, mask)  # noqa: B023

        network.__class__ = Louder
        colours.__dict__["_network"] = network
        found = colours.draw("harmonizer", image, alpha, 3, "photo")
        assert (found.mode, found.filters) == ("harmonizer", HarmonizerConfig().filters)
        bounds = [(one.low, one.high) for one in network.chain.parameters]
        expected = [
            min(max(factor * value, low), high)
            for value, (low, high) in zip(predicted.tolist(), bounds, strict=True)
        ]
        assert list(found.arguments) == list(network.chain.columns)
        assert list(found.arguments.values()) == pytest.approx(expected, abs=1e-6)


def test_colours_go_all_the_way_unless_told_and_need_surroundings(splicing: Made) -> None:
    colours = Colours.of(parsed(plain_recipe_of(splicing.source)))
    image = np.random.default_rng(4).integers(60, 190, (32, 32, 3)).astype(np.uint8)
    alpha = np.zeros((32, 32), np.uint8)
    alpha[8:24, 8:24] = 255
    assert colours.draw("reinhard", image, alpha, 3, "photo") == Colour("reinhard", strength=1.0)
    everywhere = np.full_like(alpha, 255)
    for mode in ("reference", "reinhard"):
        with pytest.raises(Unusable, match="nothing surrounds it"):
            colours.draw(mode, image, everywhere, 3, "photo")
    assert colours.draw("chain", image, everywhere, 3, "photo").mode == "chain"


def test_a_preview_shows_what_was_done(splicing: Made, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(json.dumps(plain_recipe_of(splicing.source)))
    assert make_preview(tmp_path / "recipe.yaml", 3, tmp_path / "sheet.png") == 3
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[0] > 3 * 174
    spread = sheet.max(axis=2).astype(int) - sheet.min(axis=2)
    assert (spread > 100).mean() > 0.001  # the regions are marked in colour
