"""How a dataset is loaded in the tools that its format is for: the code on its card."""

from __future__ import annotations

from collections.abc import Callable

HUGGING_FACE = """
from datasets import load_dataset

samples = load_dataset("FOLDER", split="{split}")
sample = samples[0]
print(sample["image"].size, sample["label"], sample["mask"])
"""
FOLDER = """
from datasets import load_dataset

samples = load_dataset("imagefolder", data_files="FOLDER/metadata.parquet")["train"]  # the table as a whole
samples = samples.filter(lambda split: split == "{split}", input_columns="split")
"""
WEBDATASET = """
from glob import glob

import webdataset as wds

shards = sorted(glob("FOLDER/{split}-*.tar"))
for sample in wds.WebDataset(shards, shardshuffle=False).decode("pil"):
    image = next(sample[name] for name in ("jpg", "png", "webp") if name in sample)
    mask, label = sample.get("mask.png"), sample["json"]["label"]
"""
COCO = """
from pycocotools.coco import COCO

coco = COCO("FOLDER/annotations/instances_{split}.json")
for image in coco.loadImgs(coco.getImgIds()):
    masks = [coco.annToMask(one) for one in coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))]
"""
IMDL_BENCO = """
from IMDLBenCo.datasets import JsonDataset, ManiDataset

everything = JsonDataset("FOLDER/{split}.json", is_resizing=True, output_size=(512, 512))
manipulated = ManiDataset("FOLDER/{split}", is_resizing=True, output_size=(512, 512))
"""
CAT_NET = """
from pathlib import Path

folder = Path("FOLDER")
for name in ("{split}_tampered_list.txt", "{split}_authentic_list.txt"):
    for line in (folder / name).read_text().splitlines():
        image, mask, jpeg = line.split(",")  # paths from the folder; the mask of an authentic image is None
"""
MM_SEGMENTATION = """
dataset = dict(
    type="BaseSegDataset",
    data_root="FOLDER",
    data_prefix=dict(img_path="img_dir/{split}", seg_map_path="ann_dir/{split}"),
    img_suffix="{suffix}",
    seg_map_suffix=".png",
    metainfo=dict(classes=("authentic", "manipulated"), palette=[[0, 0, 0], [255, 255, 255]]),
)
"""
RECORDS = """
from pathlib import Path

from synthharm.generate.replaying import replay_all

for replayed in replay_all(Path("FOLDER"), "PHOTOS", output=Path("OUTPUT")):
    assert not replayed.differences, replayed.differences
"""
SNIPPETS = {
    "folder": FOLDER,
    "huggingface": HUGGING_FACE,
    "imagefolder": HUGGING_FACE,
    "webdataset": WEBDATASET,
    "coco": COCO,
    "imdlbenco": IMDL_BENCO,
    "catnet": CAT_NET,
    "mmsegmentation": MM_SEGMENTATION,
    "records": RECORDS,
}
# Of the files of a split, where Hugging Face's loader takes them. It takes tar files only where every sample has
# the same files, and authentic ones have no mask.
PATTERNS: dict[str, Callable[[str], str]] = {
    "huggingface": lambda split: f"data/{split}-*.parquet",
    "imagefolder": lambda split: f"{split}/**",
}
REST = "Each file's name is its sample's number. Alphas, boundaries, region maps and sources lie in `extras/`."
CONTENTS = {
    "folder": "`images/`, `masks/`, `alphas/`, `boundaries/`, `regions/`, `sources/`, and a row for each sample in"
    " `metadata.parquet`. The records are in `records/`.",
    "huggingface": "Parquet files in `data/`: images and labels with the bytes that they were saved with, and the"
    " record as JSON in the column `record`.",
    "imagefolder": f"Images in a folder for each split, masks in `masks/` in it, and a table. {REST}",
    "webdataset": "Tar files for each split: `<key>.jpg` (or `.png`, `.webp`), `<key>.mask.png` and so on,"
    " `<key>.source_1.png`, and `<key>.json`, which is the record with the label (0 authentic, 1 manipulated).",
    "coco": f"Images in `images/`, masks in `masks/`, annotations as run lengths in `annotations/`. {REST}",
    "imdlbenco": "For each split manipulated images in `Tp/`, their masks in `Gt/`, authentic images in `Au/`, and"
    f" a list with absolute paths, so that the folder must stay where it was written. {REST}",
    "catnet": f"Images in `images/`, masks in `masks/`, and two lists for each split. {REST}",
    "mmsegmentation": "Images in `img_dir/`, and maps in `ann_dir/` with 0 for authentic and 1 for manipulated"
    f" pixels (255, where there are any, is left out of losses and measures). {REST}",
    "records": "Records in `records/`, no pixels. `synthharm replay FOLDER --data PHOTOS --output OUTPUT` makes"
    " all files again from the photos, the same to the byte, and says where one is not.",
}


def loading(form: str, split: str, suffix: str) -> str:
    """The code that loads a split of a dataset, in Markdown.

    Args:
        form: the format's name.
        split: a split that has samples.
        suffix: how most of the image files end.

    Raises:
        ValueError: no such format.

    Example:
        >>> print(loading("coco", "train", ".jpg").splitlines()[3])
        coco = COCO("FOLDER/annotations/instances_train.json")
    """
    if form not in SNIPPETS:
        raise ValueError(f"format is {form!r}; accepted are {', '.join(SNIPPETS)}")
    code = SNIPPETS[form].replace("{split}", split).replace("{suffix}", suffix)
    return f"```python\n{code.strip()}\n```\n"
