"""COCO, CAT-Net, MMSegmentation and IMDL-BenCo: what their tools read of what is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from forensic_folders import once, write
from forensic_items import SPLITS, items, pixels

from synthharm.errors import SynthharmError
from synthharm.writers.forensics.catnet import CatNetFormat
from synthharm.writers.forensics.coco import CocoFormat
from synthharm.writers.forensics.folder import FolderFormat
from synthharm.writers.forensics.imagefolder import ImageFolderFormat
from synthharm.writers.forensics.imdlbenco import ImdlBencoFormat
from synthharm.writers.forensics.item import Format
from synthharm.writers.forensics.mmsegmentation import IGNORED, MMSegmentationFormat
from synthharm.writers.forensics.record import KINDS

FORMATS: list[Format] = [
    FolderFormat(),
    ImdlBencoFormat(),
    CocoFormat(),
    CatNetFormat(),
    MMSegmentationFormat(),
    ImageFolderFormat(),
]
every_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp()


# coco


@pytest.mark.parametrize("split", SPLITS)
def test_pycocotools_reads_the_regions(split: str, base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools import mask
    from pycocotools.coco import COCO

    folder = once(CocoFormat(), base)
    coco = COCO(folder / f"annotations/instances_{split}.json")
    samples = [item for item in items() if item.record.split == split]
    assert coco.getImgIds() == [item.record.sample for item in samples]
    assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == dict(enumerate(KINDS[1:], 1))
    licences = {licence["id"]: licence["name"] for licence in coco.dataset["licenses"]}
    for item in samples:
        record, (image,) = item.record, coco.loadImgs(item.record.sample)
        assert (folder / "images" / image["file_name"]).read_bytes() == item.files["image"].read()
        assert cv2.imread(str(folder / "images" / image["file_name"])).shape == (
            image["height"],
            image["width"],
            3,
        )
        assert licences[image["license"]] == record.licence["name"]
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[record.sample]))
        assert [a["region"] for a in annotations] == [region["id"] for region in record.regions]
        for annotation, region in zip(annotations, record.regions, strict=True):
            expected = (pixels(item, "regions") == region["id"]).astype(np.uint8)
            assert (coco.annToMask(annotation) == expected).all()
            assert annotation["area"] == region["area"] == int(mask.area(annotation["segmentation"]))
            assert annotation["bbox"] == region["box"]
            assert annotation["object"] == region["category"]
            assert KINDS[annotation["category_id"]] == record.kind
            assert annotation["iscrowd"] == 0


def test_pycocotools_scores_the_regions_as_found(base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    coco = COCO(once(CocoFormat(), base) / "annotations/instances_test.json")
    evaluation = COCOeval(coco, coco.loadRes([a | {"score": 1.0} for a in coco.dataset["annotations"]]), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == 1


def test_annotations_have_numbers_of_their_own(base: Path) -> None:
    folder = once(CocoFormat(), base)
    lists = [json.loads((folder / f"annotations/instances_{split}.json").read_bytes()) for split in SPLITS]
    numbers = sorted(annotation["id"] for one in lists for annotation in one["annotations"])
    assert numbers == list(range(1, 1 + sum(len(item.record.regions) for item in items())))


def test_a_region_that_the_record_lacks_is_refused(tmp_path: Path) -> None:
    item = items()[8]
    wrong = replace(item, record=replace(item.record, regions=item.record.regions[:1]))
    with pytest.raises(SynthharmError, match=r"sample 000008: its region map has 2, its record the regions \[1\]"):
        write(CocoFormat(), tmp_path / "to", [wrong])


@pytest.mark.parametrize(("form", "role"), [(CocoFormat(), "regions"), (MMSegmentationFormat(), "mask")])
def test_a_label_that_cannot_be_decoded_is_refused(form: Format, role: str, tmp_path: Path) -> None:
    item, larger = items()[8], items()[2]
    for name in (role, "source_1"):
        wrong = replace(item, files=dict(item.files) | {role: (item if name != role else larger).files["image"]})
        with pytest.raises(SynthharmError, match=f"sample 000008: its {role} is of shape"):
            write(form, tmp_path / name, [wrong])


# catnet


@pytest.mark.parametrize("split", SPLITS)
def test_the_lists_pair_images_with_masks(split: str, base: Path) -> None:
    folder = once(CatNetFormat(), base)
    for kind, manipulated in (("tampered", True), ("authentic", False)):
        lines = (folder / f"{split}_{kind}_list.txt").read_text().splitlines()
        samples = [i for i in items() if i.record.split == split and i.record.manipulated == manipulated]
        for line, item in zip(lines, samples, strict=True):
            image, mask, jpeg = line.split(",")
            assert image == jpeg
            assert (folder / image).read_bytes() == item.files["image"].read()
            if manipulated:
                assert (folder / mask).read_bytes() == item.files["mask"].read()
            else:
                assert mask == "None"


# mmsegmentation


@pytest.mark.parametrize("ignore_boundary", [False, True])
def test_maps_have_the_numbers_of_classes(ignore_boundary: bool, tmp_path: Path) -> None:
    folder = write(MMSegmentationFormat(ignore_boundary=ignore_boundary), tmp_path / "to")
    for item in items():
        record = item.record
        found = cv2.imread(str(folder / f"ann_dir/{record.split}/{record.name}.png"), cv2.IMREAD_UNCHANGED)
        assert found.shape == cv2.imdecode(np.frombuffer(item.files["image"].read(), np.uint8), 0).shape
        expected = np.zeros_like(found)
        if record.manipulated:
            expected[pixels(item, "mask") == 255] = 1
            if ignore_boundary:
                expected[pixels(item, "boundary") == 255] = IGNORED
        assert (found == expected).all()
    for split in SPLITS:
        images, maps = ({path.stem for path in (folder / d / split).iterdir()} for d in ("img_dir", "ann_dir"))
        assert images == maps == {item.record.name for item in items() if item.record.split == split}


# imdlbenco


@pytest.mark.parametrize("split", SPLITS)
def test_the_folders_pair_in_sorted_order(split: str, base: Path) -> None:
    folder = once(ImdlBencoFormat(), base) / split
    assert sorted(path.name for path in folder.iterdir()) == ["Au", "Gt", "Tp"]
    images, masks = (sorted((folder / name).iterdir()) for name in ("Tp", "Gt"))
    samples = [item for item in items() if item.record.split == split and item.record.manipulated]
    for image, mask, item in zip(images, masks, samples, strict=True):
        assert image.stem == mask.stem == item.record.name
        assert set(np.unique(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED))) == {0, 255}


def test_the_lists_have_the_final_place(tmp_path: Path) -> None:
    root = tmp_path / "in the end"
    folder = write(ImdlBencoFormat(root), tmp_path / "aside")
    folder.rename(root)
    for split in SPLITS:
        pairs = json.loads((root / f"{split}.json").read_bytes())
        samples = [item for item in items() if item.record.split == split]
        for (image, mask), item in zip(pairs, samples, strict=True):
            assert Path(image).is_absolute()
            assert Path(image).read_bytes() == item.files["image"].read()
            if item.record.manipulated:
                assert Path(mask).read_bytes() == item.files["mask"].read()
            else:
                assert mask == "Negative"


def test_a_list_without_a_final_place_has_the_folder_it_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(ImdlBencoFormat(), Path("here"))
    assert json.loads(Path("here/train.json").read_bytes())[0][0] == str(tmp_path / "here/train/Au/000000.jpg")
