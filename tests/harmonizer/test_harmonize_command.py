"""The commands about networks, as people type them."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from click.testing import Result
from command_endings import ended
from full_size_scenes import make_harmonizer, make_photo, make_region
from PIL import Image as Pillow
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner
from video_clips import discs, drifting, write_frames, write_video

from synthharm.cli import harmonizing, networks
from synthharm.errors import SynthharmError
from synthharm.harmonizer import Harmonizer, export, video
from synthharm.harmonizer.checkpoint import published_names
from synthharm.harmonizer.full_size import harmonize_image
from synthharm.harmonizer.video.summary import Spread, VideoSummary

app = typer.Typer()
for command in (harmonizing.harmonize, networks.import_checkpoint, networks.export):
    app.command()(command)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "120"})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks") / "small"
    make_harmonizer().save_pretrained(folder)
    return folder


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    for number, name in enumerate("ab"):
        for folder, made in (
            ("photos", make_photo("ramps", (40, 60), number)),
            ("masks", make_region("feathered", (40, 60), number)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            Pillow.fromarray(made).save(tmp_path / folder / f"{name}.png")
    return tmp_path


# Images


def test_an_image_is_harmonized_and_its_arguments_printed(checkpoint: Path, scenes: Path) -> None:
    photo, mask, output = scenes / "photos" / "a.png", scenes / "masks" / "a.png", scenes / "made.png"
    result = run("harmonize", checkpoint, photo, "--mask", mask, "--output", output, "--edit", "shadow=0.5")
    assert result.exit_code == 0, result.output
    composite, alphas = (np.asarray(Pillow.open(path)) for path in (photo, mask))
    expected = harmonize_image(Harmonizer.from_pretrained(checkpoint), composite, alphas, {"shadow": 0.5})
    assert np.array_equal(np.asarray(Pillow.open(output)), expected.image)
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    assert set(rows) == {"brightness", "contrast", "shadow"}
    assert all(f"{expected.predicted[name]:+.4f}" in row for name, row in rows.items())
    assert ["(edited)" in rows[name] for name in ("brightness", "contrast", "shadow")] == [False, False, True]
    assert f"{output}: 1 harmonized; 0 rejected" in " ".join(result.stdout.split())
    assert json.loads((scenes / "made.arguments.json").read_text())["checkpoint"] == "small"


def test_a_folder_goes_on_and_lists_what_it_rejects(checkpoint: Path, scenes: Path) -> None:
    (scenes / "masks" / "b.png").unlink()
    result = run(
        "harmonize", checkpoint, scenes / "photos", "--mask", scenes / "masks", "--output", scenes / "out"
    )
    assert result.exit_code == 0, result.output
    assert "b.png: no mask: masks has neither b nor b_mask" in " ".join(result.stderr.split())
    assert "1 harmonized; 1 rejected" in " ".join(result.stdout.split())
    (scenes / "masks" / "a.png").unlink()
    assert "no mask" in ended(
        run("harmonize", checkpoint, scenes / "photos", "--mask", scenes / "masks", "--output", scenes / "none")
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--edit", "shadow"], "--edit 'shadow': NAME=VALUE with a number is accepted"),
        (["--edit", "shadow=dark"], "--edit 'shadow=dark': NAME=VALUE with a number is accepted"),
        (["--edit", "shadow=0", "--edit", "shadow=1"], "--edit shadow: is given twice"),
        (["--edit", "gamma=1"], "--edit: gamma is no argument; accepted are brightness from -1 to 1"),
        (["--edit", "contrast=2"], "--edit: contrast is 2.0; accepted are brightness from -1 to 1"),
        (["--device", "gpu"], "the device 'gpu' is unknown"),
        (["--format", "webp"], "--format webp: is not accepted; png and jpeg are, for images"),
        (["--frames", "--format", "png"], "--format png: is not accepted"),
        (["--foreground", "f.mp4"], "--foreground and --background: one is given without the other"),
        (["--foreground", "f.mp4", "--background", "b.mp4"], "is given beside --foreground and --background"),
        (["clip.mp4"], "2 inputs are given, clip.mp4 among them; one video at a time is accepted"),
        (["--quality", "0"], "quality is 0; 1 to 100 is accepted"),
        (["--quality", "90"], "quality is 90, which PNG does not have"),
        (["--smoothing", "0.5"], "--smoothing: is of videos, and images are given"),
        (["--scene-cuts"], "--scene-cuts: is of videos"),
        (["--no-scene-cuts"], "--scene-cuts: is of videos"),
        (["--fps", "25"], "--fps: is of videos"),
        (["--frames", "--quality", "95"], "--quality: is of images, and a video is given"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    words: list[str], said: str, checkpoint: Path, scenes: Path
) -> None:
    photos, out = scenes / "photos", scenes / "out"
    assert said in ended(run("harmonize", checkpoint, photos, "--mask", scenes / "masks", "--output", out, *words))
    assert not out.exists()


def test_no_input_and_no_checkpoint(checkpoint: Path, scenes: Path) -> None:
    assert "no composite is given" in ended(
        run("harmonize", checkpoint, "--mask", scenes / "masks", "--output", scenes / "out")
    )
    said = ended(
        run("harmonize", scenes / "nowhere", scenes / "photos", "--mask", scenes, "--output", scenes / "out")
    )
    assert "nowhere: is no folder here" in said


def test_what_is_there_is_replaced_where_that_is_asked_for(checkpoint: Path, scenes: Path) -> None:
    words = ["harmonize", checkpoint, scenes / "photos", "--mask", scenes / "masks", "--output", scenes / "out"]
    assert run(*words).exit_code == 0
    assert "a.png: is there already; accepted are another output, or overwrite" in ended(run(*words))
    assert run(*words, "--overwrite").exit_code == 0


# Videos


@pytest.fixture
def clip(tmp_path: Path) -> dict[str, Path]:
    """A video with sound, and the same without as frames, each with masks."""
    return {
        "video": write_video(tmp_path / "clip.mkv", drifting(3), sound="flac"),
        "frames": write_frames(tmp_path / "frames", drifting(3)),
        "mask": write_frames(tmp_path / "alphas", discs(3)),
        "out": tmp_path / "out",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["video", "--smoothing", "-1"], "smoothing is -1.0; a finite number of seconds from 0 on is accepted"),
        (["video", "--smoothing", "nan"], "smoothing is nan; a finite number"),
        (["frames", "--frames", "--fps", "0"], "frame_rate is 0.0; a number above 0 and up to 1000 is accepted"),
        (["video", "--fps", "30"], "frame_rate is 30.0, but"),
        (["video", "--output", "video"], "clip.mkv: is an input; another path is accepted"),
        (["video", "--output", "video", "--overwrite"], "clip.mkv: is an input; another path is accepted"),
        (["video", "--quality", "90"], "--quality: is of images, and a video is given"),
        (["video", "--frames"], "--frames: is of a folder of frames, and a video is given"),
    ],
)
def test_options_that_a_video_cannot_have_are_said(
    words: list[str], said: str, checkpoint: Path, clip: dict[str, Path]
) -> None:
    before = clip["video"].read_bytes()
    given = [clip.get(word, word) for word in words]
    usual = [] if "--output" in words else ["--output", clip["out"]]
    assert said in ended(run("harmonize", checkpoint, *given, "--mask", clip["mask"], *usual))
    assert clip["video"].read_bytes() == before
    assert not clip["out"].exists()


def test_a_video_is_harmonized_and_its_arguments_printed(checkpoint: Path, clip: dict[str, Path]) -> None:
    words = ["harmonize", checkpoint, clip["video"], "--mask", clip["mask"], "--output"]
    result = run(*words, clip["out"], "--edit", "shadow=0.5")
    assert result.exit_code == 0, result.output
    stored = json.loads((clip["out"] / "summary.json").read_text())
    assert (stored["checkpoint"], stored["filters"]) == ("small", ["brightness", "contrast", "shadow"])
    rows = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.startswith("│")}
    for name in ("brightness", "contrast"):
        found, used = (stored["arguments"][kind][name] for kind in ("predicted", "used"))
        cells = [f"{found[kind]:+.4f}" for kind in ("lowest", "median", "highest")]
        assert [cell.strip() for cell in rows[name].split("│")[2:6]] == [
            *cells,
            f"{used['lowest']:+.4f} to {used['highest']:+.4f}",
        ]
    assert "0.5 (edited)" in rows["shadow"]
    assert "The sound is left out: a folder of frames cannot hold it" in result.stdout
    film = clip["out"].with_suffix(".mkv")
    result = run(*words, film)
    assert result.exit_code == 0, result.output
    assert "The sound" not in result.stdout
    assert "out.mkv: is there already" in ended(run(*words, film))
    assert run(*words, film, "--overwrite").exit_code == 0


def test_figures_that_could_not_be_measured_are_not_printed(checkpoint: Path, tmp_path: Path) -> None:
    frames, masks = write_frames(tmp_path / "c", drifting(2)), write_frames(tmp_path / "m", discs(2))
    result = run("harmonize", checkpoint, frames, "--frames", "--mask", masks, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("out: 2 frames at 25 per second; 0 scene cuts\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["clip.MP4"], {"composite": Path("clip.MP4")}),
        *((["clip" + suffix], {"composite": Path("clip" + suffix)}) for suffix in (".ts", ".MTS", ".mpg", ".wmv")),
        (["folder", "--frames", "--fps", "12.5"], {"composite": Path("folder"), "frame_rate": 12.5}),
        (
            ["--foreground", "f.mov", "--background", "b.png", "--smoothing", "0.2", "--no-scene-cuts"],
            {"foreground": Path("f.mov"), "background": Path("b.png"), "smoothing": 0.2, "scene_cuts": False},
        ),
        (["clip.mp4", "--edit", "shadow=-0.5"], {"composite": Path("clip.mp4"), "edits": {"shadow": -0.5}}),
    ],
)
def test_videos_are_passed_on(
    words: list[str], expected: dict[str, object], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, object] = {}

    def harmonize_video(
        harmonizer: Harmonizer,
        output: Path,
        mask: Path,
        composite: Path | None = None,
        foreground: Path | None = None,
        background: Path | None = None,
        **settings: object,
    ) -> VideoSummary:
        assert harmonizer.config.filters == ("brightness", "contrast", "shadow")
        seen.update(output=output, mask=mask, composite=composite, foreground=foreground, background=background)
        seen.update(settings)
        flicker, found = {"smoothed": 0.25, "composite": math.nan}, {"shadow": Spread(-0.5, 0.0, 0.25)}
        arguments = {"predicted": found, "used": found}
        return VideoSummary(output, 48, Fraction(24), (10,), 0, "none", arguments, flicker, {})

    monkeypatch.setattr(video, "harmonize_video", harmonize_video)
    result = run("harmonize", checkpoint, *words, "--mask", "masks.mp4", "--output", "out.mp4")
    assert result.exit_code == 0, result.output
    usual = {"composite": None, "foreground": None, "background": None, "edits": {}, "overwrite": False}
    usual |= {"output": Path("out.mp4"), "mask": Path("masks.mp4"), "checkpoint": "small"}
    assert seen == usual | expected
    assert result.stdout.endswith("out.mp4: 48 frames at 24 per second; 1 scene cut; flicker: smoothed 0.250\n")


# Checkpoints


def saved(state: dict[str, Tensor], path: Path) -> Path:
    torch.save(state, path)
    return path


def test_a_published_checkpoint_becomes_a_folder_that_gives_the_published_outputs(
    shared: Path, tmp_path: Path
) -> None:
    state = load_file(shared / "golden" / "harmonizer_state.safetensors")
    expected = load_file(shared / "golden" / "harmonizer_outputs.safetensors")
    composites, masks = expected["composites"].float() / 255, expected["masks"].float()
    weights: list[dict[str, Tensor]] = []
    for number, prefix in enumerate(("", "module.", "model.")):
        file = saved({f"{prefix}{name}": value for name, value in state.items()}, tmp_path / f"{number}.pth")
        result = run("import-checkpoint", file, "--output", tmp_path / str(number))
        assert result.exit_code == 0, result.output
        assert "tf_efficientnet_b0, 4,726,882 parameters; temperature, brightness" in result.stdout
        harmonizer = Harmonizer.from_pretrained(tmp_path / str(number))
        weights.append(harmonizer.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(harmonizer(composites, masks), expected["arguments"], rtol=0, atol=1e-4)
    assert all(torch.equal(value, other[name]) for other in weights[1:] for name, value in weights[0].items())


def test_importing_refuses_other_files_and_full_folders(tmp_path: Path) -> None:
    torch.manual_seed(0)
    harmonizer = Harmonizer()
    own = harmonizer.state_dict()
    state = {name: own[mine] for name, mine in published_names(harmonizer).items()}
    file, output = saved(state, tmp_path / "good.pth"), tmp_path / "out"
    del state["regressor.f.bias"]
    wrong = {
        "missing.pth": "cannot be read as a checkpoint",
        "text.pth": "cannot be read as a checkpoint",
        "partial.pth": "regressor.f.bias is missing",
    }
    (tmp_path / "text.pth").write_text("no checkpoint")
    saved(state, tmp_path / "partial.pth")
    for name, said in wrong.items():
        assert said in ended(run("import-checkpoint", tmp_path / name, "--output", output))
        assert not output.exists()
    assert run("import-checkpoint", file, "--output", output).exit_code == 0
    there = (output / "model.safetensors").read_bytes()
    assert "is there already; a new or empty folder is accepted" in ended(
        run("import-checkpoint", file, "--output", output)
    )
    assert (output / "model.safetensors").read_bytes() == there


# Export


def test_export_passes_on_and_says_how_far_it_is_off(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export_onnx(harmonizer: Harmonizer, folder: Path) -> export.Exported:
        assert harmonizer.config.filters == ("brightness", "contrast", "shadow")
        if folder.name == "off":
            raise SynthharmError("the exported images differ by 0.5")
        return export.Exported(1e-6, 2e-7)

    monkeypatch.setattr(export, "export_onnx", export_onnx)
    result = run("export", checkpoint, "--output", tmp_path / "onnx")
    assert result.exit_code == 0, result.output
    assert (
        "arguments.onnx and chain.onnx; the largest difference from torch is 1.0e-06 in arguments and 2.0e-07"
        in (result.stdout)
    )
    assert "differ by 0.5" in ended(run("export", checkpoint, "--output", tmp_path / "off"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    assert "is there already" in ended(run("export", checkpoint, "--output", tmp_path / "full"))
