"""Files and folders are harmonized each with its own mask, and nothing that was there before is lost."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from full_size_scenes import Image, make_harmonizer, make_photo, make_region
from PIL import Image as Pillow

from synthharm.errors import SynthharmError
from synthharm.harmonizer import Harmonizer
from synthharm.harmonizer.full_size import harmonize_image
from synthharm.harmonizer.images import HarmonizedFiles, harmonize_files
from synthharm.harmonizer.outputs import encode
from synthharm.sources import decode_photo

SIZE = (40, 60)


@pytest.fixture(scope="module")
def harmonizer() -> Harmonizer:
    return make_harmonizer()


def write(path: Path, image: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(image).save(path)
    return path


def read(path: Path) -> Image:
    return np.asarray(Pillow.open(path))


def run(
    harmonizer: Harmonizer, inputs: list[Path], mask: Path, output: Path, *edits: object, **settings: object
) -> HarmonizedFiles:
    return harmonize_files(harmonizer, inputs, mask, output, *edits, decode=decode_photo, **settings)  # type: ignore[arg-type]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Three photos with masks, named in both ways."""
    for number, name in enumerate("abc"):
        write(tmp_path / "photos" / f"{name}.png", make_photo("ramps", SIZE, number))
        ending = "_mask" if name == "b" else ""
        write(tmp_path / "masks" / f"{name}{ending}.png", make_region("feathered", SIZE, number))
    return tmp_path


def reasons(files: HarmonizedFiles) -> dict[str, str]:
    return {reject.name: reject.reason for reject in files.rejected}


def test_each_image_of_a_folder_with_its_own_mask(harmonizer: Harmonizer, folders: Path) -> None:
    files = run(harmonizer, [folders / "photos"], folders / "masks", folders / "out", checkpoint="mine")
    assert [file.path.name for file in files.done] == ["a.png", "b.png", "c.png"]
    assert files.rejected == ()
    for file in files.done:
        expected = harmonize_image(harmonizer, read(file.source), read(file.mask))
        assert np.array_equal(read(file.path), expected.image)
        assert (file.arguments, file.predicted) == (expected.arguments, expected.predicted)
    assert sorted(p.name for p in (folders / "out").iterdir()) == ["a.png", "arguments.json", "b.png", "c.png"]
    record = json.loads((folders / "out" / "arguments.json").read_text())
    assert files.record == folders / "out" / "arguments.json"
    assert (record["checkpoint"], record["filters"], record["rejected"]) == (
        "mine",
        list(harmonizer.config.filters),
        [],
    )
    assert [(i["image"], i["composite"], i["mask"]) for i in record["images"]] == [
        ("a.png", "a.png", "a.png"),
        ("b.png", "b.png", "b_mask.png"),
        ("c.png", "c.png", "c.png"),
    ]
    assert [i["used"] for i in record["images"]] == [file.arguments for file in files.done]
    assert str(folders) not in json.dumps(record)


def test_photos_and_masks_may_lie_in_one_folder(harmonizer: Harmonizer, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.jpg", make_photo("ramps", SIZE, 0))
    write(tmp_path / "in" / "a_mask.png", make_region("corner", SIZE, 0))
    write(tmp_path / "in" / "carnival_mask.png", make_photo("ramps", SIZE, 1))  # a photo of one
    files = run(harmonizer, [tmp_path / "in"], tmp_path / "in", tmp_path / "out")
    assert [file.path.name for file in files.done] == ["a.png"]
    assert reasons(files) == {"carnival_mask.png": "no mask"}


def test_one_image_into_a_file_with_edits(harmonizer: Harmonizer, folders: Path) -> None:
    edits = {"contrast": 0.25}
    source, mask, output = folders / "photos" / "a.png", folders / "masks" / "a.png", folders / "new" / "made.png"
    files = run(harmonizer, [source], mask, output, edits=edits)
    expected = harmonize_image(harmonizer, read(source), read(mask), edits)
    assert np.array_equal(read(output), expected.image)
    assert files.record == folders / "new" / "made.arguments.json"
    (entry,) = json.loads(files.record.read_text())["images"]
    assert entry["used"]["contrast"] == 0.25 != entry["predicted"]["contrast"]
    assert entry["used"] == entry["predicted"] | edits


def test_jpeg_by_name_or_by_format(harmonizer: Harmonizer, folders: Path) -> None:
    source, mask = folders / "photos" / "a.png", folders / "masks" / "a.png"
    run(harmonizer, [source], mask, folders / "x.jpeg", quality=90)
    run(harmonizer, [source], mask, folders / "usual.jpg")
    assert (folders / "usual.jpg").read_bytes() == encode(
        harmonize_image(harmonizer, read(source), read(mask)).image, "jpeg", 95
    )
    run(harmonizer, [source], mask, folders / "out", format="jpeg", quality=90)
    expected = encode(harmonize_image(harmonizer, read(source), read(mask)).image, "jpeg", 90)
    assert (folders / "x.jpeg").read_bytes() == (folders / "out" / "a.jpg").read_bytes() == expected
    assert Pillow.open(io.BytesIO(expected)).format == "JPEG"
    assert encode(read(source), "jpeg", 50) != encode(read(source), "jpeg", 90)


def test_photos_are_turned_upright_and_into_srgb(harmonizer: Harmonizer, tmp_path: Path) -> None:
    image = make_photo("ramps", SIZE, 0)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.fromarray(image).save(tmp_path / "a.jpg", exif=exif, quality=100)
    mask = write(tmp_path / "mask.png", make_region("corner", SIZE[::-1], 0))
    files = run(harmonizer, [tmp_path / "a.jpg"], mask, tmp_path / "out.png")
    upright, _ = decode_photo((tmp_path / "a.jpg").read_bytes(), "a.jpg")
    assert read(tmp_path / "out.png").shape == (60, 40, 3)
    assert np.array_equal(read(tmp_path / "out.png"), harmonize_image(harmonizer, upright, read(mask)).image)
    assert files.done[0].encoding["orientation"] == 6


def test_what_cannot_be_used_is_listed_and_the_rest_is_done(harmonizer: Harmonizer, folders: Path) -> None:
    photos, masks = folders / "photos", folders / "masks"
    for name in "defghi":
        write(photos / f"{name}.png", make_photo("ramps", SIZE, 9))
    write(masks / "d.png", make_region("all", (41, 60), 0))  # another size
    write(masks / "e.png", np.zeros(SIZE, np.uint8))
    write(masks / "f.png", make_photo("noise", SIZE, 0))  # coloured
    (photos / "g.png").write_bytes((photos / "g.png").read_bytes()[:300])
    for name in ("g.png", "h.png", "h_mask.png"):
        write(masks / name, make_region("all", SIZE, 0))
    files = run(harmonizer, [photos], masks, folders / "out")
    assert [file.path.name for file in files.done] == ["a.png", "b.png", "c.png"]
    expected = {
        "d": "mask size",
        "e": "empty mask",
        "f": "bad mask",
        "g": "truncated",
        "h": "bad mask",
        "i": "no mask",
    }
    assert reasons(files) == {f"{name}.png": reason for name, reason in expected.items()}
    record = json.loads((folders / "out" / "arguments.json").read_text())
    assert [entry["reason"] for entry in record["rejected"]] == list(expected.values())
    assert not (folders / "out" / "d.png").exists()


def test_nothing_is_written_where_nothing_could_be_used(harmonizer: Harmonizer, folders: Path) -> None:
    (folders / "photos" / "a.png").write_bytes(b"no image")
    files = run(harmonizer, [folders / "photos" / "a.png"], folders / "masks" / "a.png", folders / "out" / "a.png")
    assert (files.done, files.record, reasons(files)) == ((), None, {"a.png": "not an image"})
    assert not (folders / "out").exists()


def before_and_after(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_inputs_and_masks_are_never_overwritten(harmonizer: Harmonizer, folders: Path) -> None:
    photos, masks = folders / "photos", folders / "masks"
    (folders / "link").symlink_to(photos)
    there = before_and_after(folders)
    cases = [
        ([photos], masks, photos),
        ([photos], masks, folders / "link"),
        ([photos], masks, masks),
        ([photos / "a.png"], masks / "a.png", photos / "a.png"),
        ([photos / "a.png"], masks / "a.png", masks / "a.png"),
    ]
    for inputs, mask, output in cases:
        for overwrite in (False, True):
            with pytest.raises(SynthharmError, match="is an input and would be overwritten"):
                run(harmonizer, inputs, mask, output, overwrite=overwrite)
    assert before_and_after(folders) == there


def test_what_is_there_stays_unless_overwriting_is_asked_for(harmonizer: Harmonizer, folders: Path) -> None:
    photos, masks, out = folders / "photos", folders / "masks", folders / "out"
    first = run(harmonizer, [photos / "a.png", photos / "b.png"], masks, out, checkpoint="one")
    there = before_and_after(out)
    for inputs, said in (([photos], r"a\.png"), ([photos / "c.png"], r"arguments\.json")):
        with pytest.raises(SynthharmError, match=rf"out/{said}: is there already; accepted are another output"):
            run(harmonizer, inputs, masks, out)
        assert before_and_after(out) == there
    run(harmonizer, [photos / "b.png"], masks, out, {"contrast": 0.25}, checkpoint="two", overwrite=True)
    run(harmonizer, [photos / "c.png"], masks, out, checkpoint="three", overwrite=True)
    record = json.loads((out / "arguments.json").read_text())
    runs = [record, *record["earlier"]]
    assert [(r["checkpoint"], [i["image"] for i in r["images"]]) for r in runs] == [
        ("three", ["c.png"]),
        ("two", ["b.png"]),
        ("one", ["a.png"]),
    ]
    assert runs[1]["images"][0]["used"]["contrast"] == 0.25
    assert runs[2]["images"][0]["used"] == first.done[0].arguments
    assert (out / "a.png").read_bytes() == there["a.png"]
    run(harmonizer, [photos], masks, out, overwrite=True)
    assert "earlier" not in json.loads((out / "arguments.json").read_text())


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", '{"images": [1]}', '{"rounds": 3}', '{"images": [], "earlier": 1}']
)
def test_a_record_of_something_else_is_not_overwritten(harmonizer: Harmonizer, folders: Path, text: str) -> None:
    (folders / "out").mkdir()
    (folders / "out" / "arguments.json").write_text(text)
    with pytest.raises(SynthharmError, match=r"arguments\.json: is no record of harmonized images"):
        run(harmonizer, [folders / "photos"], folders / "masks", folders / "out", overwrite=True)
    assert before_and_after(folders / "out") == {"arguments.json": text.encode()}


def test_a_run_that_is_stopped_leaves_the_record_of_what_it_did(
    harmonizer: Harmonizer, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def twice(*given: Any, **settings: Any) -> Any:
        nonlocal count
        count += 1
        if count > 2:
            raise SynthharmError("the network predicts no finite number")
        return harmonize_image(*given, **settings)

    monkeypatch.setattr("synthharm.harmonizer.images.harmonize_image", twice)
    with pytest.raises(SynthharmError, match=r"photos/c\.png: the network predicts no finite number"):
        run(harmonizer, [folders / "photos"], folders / "masks", folders / "out")
    assert sorted(before_and_after(folders / "out")) == ["a.png", "arguments.json", "b.png"]
    record = json.loads((folders / "out" / "arguments.json").read_text())
    assert [entry["image"] for entry in record["images"]] == ["a.png", "b.png"]


def test_an_output_that_is_one_of_many_masks_is_refused_before_anything_is_written(
    harmonizer: Harmonizer, folders: Path
) -> None:
    (folders / "masks" / "c.png").rename(folders / "masks" / "c_mask.png")
    write(folders / "photos" / "a_mask.png", make_photo("ramps", SIZE, 5))  # would go where the mask of a.png is
    (folders / "masks" / "a.png").rename(folders / "masks" / "a_mask.png")
    there = before_and_after(folders)
    with pytest.raises(SynthharmError, match=r"masks/a_mask\.png: is an input and would be overwritten"):
        run(harmonizer, [folders / "photos"], folders / "masks", folders / "masks", overwrite=True)
    assert before_and_after(folders) == there


def test_names_that_begin_with_a_dot_are_left_out(harmonizer: Harmonizer, folders: Path) -> None:
    for folder in ("photos", "masks"):
        for name in ("._a.png", ".b.png"):
            (folders / folder / name).write_bytes(b"of the system")
    files = run(harmonizer, [folders / "photos"], folders / "masks", folders / "out")
    assert [file.path.name for file in files.done] == ["a.png", "b.png", "c.png"]
    assert files.rejected == ()


def test_the_folder_of_masks_is_listed_once(
    harmonizer: Harmonizer, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[Path] = []
    iterate = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: listed.append(path) or iterate(path))  # type: ignore[func-returns-value]
    assert len(run(harmonizer, [folders / "photos"], folders / "masks", folders / "out").done) == 3
    assert listed.count(folders / "masks") == 1


def test_a_second_run_gives_the_same_bytes(harmonizer: Harmonizer, folders: Path) -> None:
    for _ in range(2):
        run(harmonizer, [folders / "photos"], folders / "masks", folders / "out", overwrite=True)
        found = before_and_after(folders / "out")
    run(harmonizer, [folders / "photos"], folders / "masks", folders / "again", tile_pixels=100)
    assert before_and_after(folders / "again") == found


def test_what_stops_a_run_is_said_before_anything_is_written(harmonizer: Harmonizer, folders: Path) -> None:
    photos, masks, out = folders / "photos", folders / "masks", folders / "out"
    write(folders / "other" / "a.png", make_photo("ramps", SIZE, 0))
    (folders / "empty").mkdir()
    (folders / "file.txt").write_text("x")
    a = photos / "a.png"
    cases = [
        ([photos / "z.png"], masks, out, {}, r"z\.png: is no image and no folder of images: it does not exist"),
        ([folders / "empty"], masks, out, {}, "empty: has no images; accepted are"),
        ([photos], masks / "a.png", out, {}, r"a\.png: is one mask for 3 images; a folder of masks is accepted"),
        ([photos], folders / "nowhere", out, {}, "nowhere: is no mask and no folder of masks"),
        ([photos], masks, folders / "all.png", {}, r"all\.png: is a file, for folders or several images a folder"),
        ([a], masks, folders / "a.webp", {}, r"a\.webp: cannot be written as \.webp; accepted are \.png"),
        ([a], masks, folders / "a.jpg", {"format": "png"}, r"a\.jpg: cannot be written as png"),
        ([a], masks, folders / "file.txt", {}, r"file\.txt: is a file; accepted are a folder"),
        ([a, folders / "other"], masks, out, {}, r"other/a\.png would both be written to .*out/a\.png"),
        ([a], masks, out, {"quality": 0}, "quality is 0; 1 to 100 is accepted"),
        ([a], masks, out, {"quality": 90}, "quality is 90, which PNG does not have"),
    ]
    for inputs, mask, output, settings, said in cases:
        with pytest.raises(SynthharmError, match=said):
            run(harmonizer, inputs, mask, output, **settings)
    with pytest.raises(ValueError, match="gamma is no argument"):
        run(harmonizer, [a], masks, out, edits={"gamma": 1.0})
    assert not out.exists()


def test_shipped_photos_are_harmonized(harmonizer: Harmonizer, bundled: Path, tmp_path: Path) -> None:
    photo = sorted((bundled / "images").iterdir())[0]
    pixels, _ = decode_photo(photo.read_bytes(), photo.name)
    mask = write(tmp_path / f"{photo.stem}.png", make_region("feathered", pixels.shape[:2], 0))
    files = run(harmonizer, [photo], mask, tmp_path / "out")
    made = cv2.imread(str(files.done[0].path))[..., ::-1]
    outside = read(mask) == 0
    assert np.array_equal(made[outside], pixels[outside])
    assert not np.array_equal(made, pixels)
