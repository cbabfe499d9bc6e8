"""Recipes that are none, and datasets that are spoilt, each by name, with a word that must be said of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from malformed_images import encoded, picture
from malformed_json import GOOD, HEIGHT, WIDTH

SPLICING: dict[str, Any] = {
    "samples": 4,
    "data": "data",
    "source": {"format": "coco"},
    "kinds": {"authentic": 0.5, "splice": 0.5},
}
RETOUCH: dict[str, Any] = {
    "samples": 4,
    "data": "data",
    "source": {"format": "coco"},
    "writer": {"format": "folder"},
}


def write_coco(root: Path, images: Iterable[str] = (), annotations: Iterable[str] = ()) -> Path:
    """A COCO source of three good photos, with two regions each, and other entries as JSON text after them."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    names = [GOOD, "second.png", "third.png"]
    listed, regions = [], []
    for number, name in enumerate(names, 1):
        (root / "images" / name).write_bytes(encoded(picture(WIDTH, HEIGHT, seed=10 * number), "PNG"))
        listed.append(json.dumps({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}))
        for place, left in enumerate((20, 90)):
            corners = [[left, 40, left + 40, 40, left + 40, 85, left, 85]]
            region = {"id": 2 * number - 1 + place, "image_id": number, "category_id": 1, "segmentation": corners}
            regions.append(json.dumps(region))
    parts = {"images": [*listed, *images], "annotations": [*regions, *annotations]}
    text = ", ".join(f'"{key}": [{", ".join(entries)}]' for key, entries in parts.items())
    (root / "instances.json").write_text(f'{{{text}, "categories": [{{"id": 1, "name": "thing"}}]}}')
    return root


def write_recipe(path: Path, data: Path, **changes: Any) -> Path:
    """A small recipe of a splicing dataset."""
    recipe = SPLICING | {
        "data": str(data),
        "kinds": {"authentic": 0.5, "splice": 0.25, "removal": 0.25},
        "removal": {"largest": 0.5},
        "placement": {"support": "anywhere", "cut_off": True},
        "edges": {"alpha": {"mask": 1.0}},
        "blending": {"alpha": 1.0},
        "colour": {"as_is": 1.0},
        "split": {"train": 1.0},
    }
    path.write_text(json.dumps(recipe | changes))
    return path


def _with(base: dict[str, Any], **changes: Any) -> str:
    """A recipe as JSON, which is YAML; what is ... is left out."""
    recipe = {key: value for key, value in (base | changes).items() if value is not ...}
    return json.dumps(recipe, indent=1, ensure_ascii=False)


def _of_splicing() -> dict[str, tuple[dict[str, Any], str]]:
    """By name: what is changed, and a word."""
    return {
        "no samples": ({"samples": ...}, "samples"),
        "samples 0": ({"samples": 0}, "samples"),
        "samples a word": ({"samples": "many"}, "samples"),
        "samples a fraction": ({"samples": 2.5}, "2.5"),
        "samples true": ({"samples": True}, "samples"),
        "seed negative": ({"seed": -1}, "seed"),
        "seed beyond 63 bits": ({"seed": 2**63}, "seed"),
        "no data": ({"data": ...}, "data"),
        "data a list": ({"data": ["a"]}, "data"),
        "name a path": ({"name": "../x"}, "name"),
        "name too long": ({"name": "a" * 65}, "name"),
        "source a word": ({"source": "coco"}, "source"),
        "source unknown": ({"source": {"format": "voc"}}, "voc"),
        "source without a format": ({"source": {"images": "a"}}, "format"),
        "source with a key of another": ({"source": {"format": "coco", "mask_name": "{stem}"}}, "mask_name"),
        "source's mask without a stem": ({"source": {"format": "folder", "mask_name": "mask"}}, "{stem}"),
        "source's images above": ({"source": {"format": "coco", "images": "../images"}}, "../images"),
        "most pixels 0": ({"source": {"format": "coco", "max_pixels": 0}}, "max_pixels"),
        "selection in the wrong order": ({"select": {"area_share": [0.5, 0.1]}}, "area_share"),
        "selection beyond 1": ({"select": {"area_share": [0, 3]}}, "area_share"),
        "selection of no category": ({"select": {"categories": []}}, "categories"),
        "key misspelt": ({"plcement": {}}, "did you mean 'placement'"),
        "section null": ({"placement": None}, "placement"),
        "section a list": ({"edges": [1]}, "edges"),
        "kinds none": ({"kinds": {}}, "kinds"),
        "kinds a list": ({"kinds": ["splice"]}, "kinds"),
        "kinds null": ({"kinds": None}, "kinds"),
        "kinds unknown": ({"kinds": {"authentic": 0.5, "deepfake": 0.5}}, "deepfake"),
        "kinds too much": ({"kinds": {"authentic": 0.5, "splice": 0.6}}, "add up to 1"),
        "kinds negative": ({"kinds": {"authentic": 1.5, "splice": -0.5}}, "kinds.splice"),
        "licences none": ({"licences": {"accept": []}}, "accept"),
        "regions 0": ({"regions": [0, 1]}, "regions"),
        "regions in the wrong order": ({"regions": [3, 1]}, "lowest, then highest"),
        "regions of three": ({"regions": [1, 2, 3]}, "regions"),
        "regions alone": ({"regions": 2}, "regions"),
        "support unknown": ({"placement": {"support": "sky"}}, "support"),
        "scale 0": ({"placement": {"scale": [0, 1]}}, "scale"),
        "rotation a word": ({"placement": {"rotation": "left"}}, "rotation"),
        "rotation negative": ({"placement": {"rotation": -3}}, "rotation"),
        "flip beyond 1": ({"placement": {"flip": 2}}, "flip"),
        "erosion negative": ({"edges": {"erosion": [-1, 1]}}, "erosion"),
        "feather beyond 50": ({"edges": {"feather": [0, 51]}}, "feather"),
        "alpha unknown": ({"edges": {"alpha": {"soft": 1.0}}}, "soft"),
        "blending too little": ({"blending": {"alpha": 0.5}}, "blending"),
        "blending unknown": ({"blending": {"glue": 1.0}}, "glue"),
        "colour of a harmonized splice": ({"colour": {"reinhard": 1.0}}, "colour"),
        "harmonizer without checkpoint": ({"harmonized": {"harmonizer": 1.0}}, "checkpoint"),
        "checkpoint empty": ({"checkpoint": ""}, "checkpoint"),
        "removal of everything": ({"removal": {"largest": 1.1}}, "largest"),
        "removal unknown": ({"removal": {"method": {"clone": 1.0}}}, "clone"),
        "filters none": ({"chain": {"filters": []}}, "filters"),
        "filter unknown": ({"chain": {"filters": ["brightnes"]}}, "brightnes"),
        "span of no argument": ({"chain": {"spans": {"sparkle": 1.0}}}, "sparkle"),
        "draw by reference": ({"draw": {"mode": "reference", "toward": "similar"}}, "draw"),
        "draw unknown": ({"draw": {"mode": "dice"}}, "dice"),
    }


def _of_splicing_as_a_whole() -> dict[str, tuple[dict[str, Any], str]]:
    """The same, of how many there are of what, and of the dataset."""
    whole = {"name": "none", "share": 1.0}
    step = {"name": "a", "share": 1.0}
    return {
        "a split of nothing": ({"split": {"train": 1.0, "val": 0.0}}, "has a share of 0"),
        "a split no format takes": ({"split": {"_train": 1.0}}, "'_train' is no name for a split"),
        "a split in a list's way": ({"split": {"dataset": 1.0}}, "'dataset' is no name for a split"),
        "grids of no kind": (
            {
                "grids": {"share": 0.1, "colour": ["as_is", "reinhard"]},
                "kinds": {"authentic": 0.5, "splice": 0.5, "harmonized_splice": 0.0},
            },
            "its colours make harmonized splices",
        ),
        "families beyond kinds": ({"families": 1.0, "kinds": {"authentic": 0.4, "splice": 0.6}}, "authentic"),
        "families without harmonized": ({"families": 0.5}, "harmonized_splice"),
        "grids beyond splices": ({"grids": {"share": 0.9, "feather": [0, 1]}}, "grids"),
        "grids of nothing": ({"grids": {"share": 0.1}}, "grids"),
        "grids of one value": ({"grids": {"share": 0.1, "scale": [1]}}, "one value"),
        "grids without share": ({"grids": {"scale": [1, 2]}}, "grids.share"),
        "grid of harmonizer": ({"grids": {"share": 0.1, "colour": ["as_is", "harmonizer"]}}, "checkpoint"),
        "grid of quality with png": (
            {"grids": {"share": 0.1, "quality": [50, 90]}, "encoding": {"format": "png"}},
            "PNG has no quality",
        ),
        "history none": ({"history": []}, "history"),
        "history too little": ({"history": [{"name": "a", "share": 0.4}]}, "add up to 1"),
        "history twice": ({"history": [{"name": "a", "share": 0.5}] * 2}, "names that differ"),
        "history without a name": ({"history": [{"share": 1.0}]}, "name"),
        "step unknown": ({"history": [step | {"steps": [{"step": "sharpen"}]}]}, "sharpen"),
        "step without its name": ({"history": [step | {"steps": [{"factor": [1, 2]}]}]}, "step"),
        "step's quality 0": ({"history": [step | {"steps": [{"step": "webp", "quality": [0, 9]}]}]}, "quality"),
        "step's noise 0": ({"history": [step | {"steps": [{"step": "noise", "sigma": [0, 1]}]}]}, "sigma"),
        "step's filter unknown": (
            {"history": [step | {"steps": [{"step": "filters", "filters": ["sparkle"]}]}]},
            "sparkle",
        ),
        "step's network unknown": (
            {"history": [step | {"steps": [{"step": "preset", "networks": ["myspace"]}]}]},
            "myspace",
        ),
        "crop beyond the picture": ({"history": [step | {"steps": [{"step": "crop", "keep": [1, 2]}]}]}, "keep"),
        "cameras without tables": (
            {"history": [whole], "encoding": {"format": "jpeg", "cameras": 0.5}},
            "camera_tables",
        ),
        "cameras in a step without tables": (
            {"history": [step | {"steps": [{"step": "jpeg", "cameras": 0.5}]}]},
            "camera_tables",
        ),
        "encoding unknown": ({"encoding": {"format": "gif"}}, "gif"),
        "encoding's subsampling unknown": ({"encoding": {"format": "jpeg", "subsampling": ["4:1:1"]}}, "4:1:1"),
        "encoding of png with quality": ({"encoding": {"format": "png", "quality": [70, 90]}}, "quality"),
        "boundary negative": ({"boundary": -1}, "boundary"),
        "quotas too little": ({"quotas": {"area": [{"range": [0, 0.5], "share": 0.5}]}}, "add up to 1"),
        "quotas of categories too much": ({"quotas": {"category": {"a": 0.8, "b": 0.7}}}, "at most 1"),
        "split none": ({"split": {}}, "split"),
        "split too little": ({"split": {"train": 0.5}}, "add up to 1"),
        "split a path": ({"split": {"../train": 1.0}}, "../train"),
        "split of a file's name": ({"split": {"records": 1.0}, "writers": [{"format": "imdlbenco"}]}, "records"),
        "near duplicates beyond 20": ({"near_duplicates": 21}, "near_duplicates"),
        "format twice": ({"writers": [{"format": "coco"}, {"format": "coco"}]}, "named twice"),
        "format unknown": ({"writers": [{"format": "tfds"}]}, "tfds"),
        "format's rows 0": ({"writers": [{"format": "webdataset", "rows": 0}]}, "rows"),
        "writers a word": ({"writers": "coco"}, "writers"),
        "shard 0": ({"shard": 0}, "shard"),
        "many at once": ({"seed": -1, "shard": 0, "boundary": -1, "regions": [0, 0]}, "5 mistakes"),
    }


def _of_retouch() -> dict[str, tuple[dict[str, Any], str]]:
    return {
        "writer none": ({"writer": ...}, "writer"),
        "writer unknown": ({"writer": {"format": "tfds"}}, "tfds"),
        "section of splicing": ({"placement": {"rotation": 3}}, "placement"),
        "draw unknown": ({"draw": {"mode": "dice"}}, "dice"),
        "draw to nowhere": ({"draw": {"mode": "reference", "toward": "moon"}}, "draw"),
        "scores not there": ({"draw": {"mode": "scores", "file": "none.json"}}, "none.json"),
        "recovery a word": ({"draw": {"recovery": "good"}}, "recovery"),
        "feather negative": ({"composite": {"feather": -2}}, "feather"),
        "composite unknown": ({"composite": {"kind": "collage"}}, "composite"),
        "encoding unknown": ({"encoding": {"format": "tiff"}}, "tiff"),
        "filters twice over": ({"chain": {"filters": "brightness"}}, "filters"),
        "statistics unknown": ({"chain": {"statistics": "sky"}}, "statistics"),
        "split of words": ({"split": {"train": "most"}}, "split"),
        "iharmony4 in png": ({"writer": {"format": "iharmony4"}, "encoding": {"format": "png16"}}, "encoding"),
    }


def _texts() -> dict[str, tuple[bytes, str]]:
    """Files that are no plain YAML, or no mapping."""
    good = _with(SPLICING)
    plain = "samples: 4\ndata: data\nsource: {format: coco}\nkinds: {authentic: 1}\n"
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))
    return {
        "no bytes": (b"", "mapping"),
        "blanks": (b"\n \n", "mapping"),
        "only words about it": (b"# a recipe\n", "mapping"),
        "a word": (b"splicing\n", "mapping"),
        "a list": (b"- samples\n", "mapping"),
        "a number": (b"7\n", "mapping"),
        "a tab": (f"{plain}select:\n\tside: [1, 2]\n".encode(), "YAML"),
        "a key twice": (f"{plain}samples: 5\n".encode(), "twice"),
        "a key twice within": (f"{plain}edges: {{feather: [0, 1], feather: [0, 2]}}\n".encode(), "twice"),
        "an anchor for nothing": (f"{plain}seed: *none\n".encode(), "YAML"),
        "an anchor within itself": (f"{plain}regions: &a [*a, *a]\n".encode(), "YAML"),
        "anchors without end": ((plain + bomb).encode(), "more than"),
        "merged keys": (f"{plain}edges: {{<<: {{feather: [0, 1]}}}}\n".encode(), "plain word"),
        "an object of python": (f"{plain}seed: !!python/object:os.system 1\n".encode(), "python/object"),
        "a call of python": (f"{plain}name: !!python/object/apply:os.getcwd []\n".encode(), "python"),
        "a tag of its own": (f"{plain}seed: !seed 7\n".encode(), "!seed"),
        "binary data": (f"{plain}name: !!binary aGk=\n".encode(), "binary"),
        "a time": (f"{plain}seed: !!timestamp 2020-01-01\n".encode(), "timestamp"),
        "two documents": (f"{plain}---\n{plain}".encode(), "YAML"),
        "a bracket left open": (f"{plain}regions: [1, 2\n".encode(), "YAML"),
        "a quote left open": (f"{plain}name: 'a\n".encode(), "YAML"),
        "a colon too many": (f"{plain}name: a: b\n".encode(), "YAML"),
        "a key that is a list": (f"{plain}? [a, b]\n: 1\n".encode(), "plain word"),
        "a key that is null": (f"{plain}~: 1\n".encode(), "unknown key"),
        "not a number": (f"{plain}boundary: .nan\n".encode(), "boundary"),
        "infinite": (f"{plain}boundary: .inf\n".encode(), "boundary"),
        "no as a switch": (f"{plain}placement: {{company: no}}\n".encode(), "company"),
        "a number of 5000 digits": (f"{plain}seed: {'9' * 5000}\n".encode(), "recipe.yaml"),
        "nested without end": (b"a: " + b"[" * 5000, "YAML"),
        "zeros": (b"\0" * 64, "recipe.yaml"),
        "bytes of a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "cannot be read"),
        "latin letters": (f"{plain}name: caf\xe9\n".encode("latin-1"), "cannot be read"),
        "utf-16": (good.encode("utf-16"), "cannot be read"),
        "half a letter": (plain.encode() + b'name: "\\ud800"\n', "name"),
    }


def recipe_cases() -> dict[str, tuple[bytes, str]]:
    """Every recipe as bytes, and a word that its refusal must hold."""
    found = {
        f"splicing: {name}": (_with(SPLICING, **c).encode(), w)
        for name, (c, w) in (_of_splicing() | _of_splicing_as_a_whole()).items()
    }
    found |= {f"retouch: {name}": (_with(RETOUCH, **c).encode(), w) for name, (c, w) in _of_retouch().items()}
    return found | {f"text: {name}": case for name, case in _texts().items()}


def override_cases() -> dict[str, str]:
    """What cannot be set, and a word that must be said; on top of a sound recipe."""
    return {
        "samples": "key=value",
        "=3": "key=value",
        "samples..x=3": "key=value",
        "samples.x=3": "nothing in it",
        "samples=[1": "YAML",
        "samples=many": "many",
        "samples=!!python/name:os.system": "python",
        "kinds=null": "kinds",
        "history.0.share=2": "history",
        "data=": "data",
        "nothing=1": "unknown key",
    }


def _bytes(path: str, data: bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        _only(folder, path).write_bytes(data)

    return spoil


def _only(folder: Path, pattern: str) -> Path:
    """The first file of a pattern, or the place of one that is not there."""
    return next(iter(sorted(folder.glob(pattern))), folder / pattern)


def _cut(path: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = _only(folder, path)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return spoil


def _gone(path: str) -> Callable[[Path], None]:
    return lambda folder: _only(folder, path).unlink()


DEEP = b"[" * 200_000
SPOILT_DATASETS: dict[str, tuple[Callable[[Path], None], str]] = {
    "plan gone": (_gone("plan.json"), "plan.json"),
    "plan cut": (_cut("plan.json"), "plan.json"),
    "plan a list": (_bytes("plan.json", b"[]"), "plan.json"),
    "plan's recipe a word": (_bytes("plan.json", b'{"recipe": "x"}'), "plan.json"),
    "plan's recipe empty": (_bytes("plan.json", b'{"recipe": {}}'), "plan.json"),
    "plan nested": (_bytes("plan.json", DEEP), "plan.json"),
    "numbers gone": (_gone("dataset.json"), "dataset.json"),
    "numbers a list": (_bytes("dataset.json", b"[]"), "dataset.json"),
    "certificate gone": (_gone("certificate.json"), "certificate.json"),
    "certificate empty": (_bytes("certificate.json", b""), "certificate.json"),
    "certificate a list": (_bytes("certificate.json", b"[1]"), "certificate.json"),
    "certificate nested": (_bytes("certificate.json", DEEP), "certificate.json"),
    "sums gone": (_gone("SHA256SUMS"), "SHA256SUMS"),
    "sums empty": (_bytes("SHA256SUMS", b""), "SHA256SUMS"),
    "sums of noise": (_bytes("SHA256SUMS", bytes(range(128, 256))), "SHA256SUMS"),
    "an image cut": (_cut("images/*"), "images/"),
    "an image empty": (_bytes("images/000000.jpg", b""), "images/"),
    "a mask gone": (_gone("masks/*"), "masks/"),
    "a mask of text": (_bytes("masks/*", b"no mask"), "masks/"),
    "a record cut": (_cut("records/00000.jsonl"), "records/00000.jsonl"),
    "a format's mark gone": (_gone("formats/coco/format.json"), "formats/coco"),
    "a format's mark a list": (_bytes("formats/coco/format.json", b"[]"), "formats/coco"),
    "a format's table cut": (_cut("formats/huggingface/data/*.parquet"), "formats/huggingface"),
    "a format's archive cut": (_cut("formats/webdataset/**/*.tar"), "formats/webdataset"),
    "a format's sums gone": (_gone("formats/coco/SHA256SUMS"), "formats/coco"),
    "a file among formats": (_bytes("formats/notes.txt", b"mine"), "formats/notes.txt"),
    "a file that is nobody's": (_bytes("stray.txt", b"mine"), "stray.txt"),
}


SPOILT_FORMATS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "mark gone": ("coco", _gone("format.json"), "format.json"),
    "mark empty": ("coco", _bytes("format.json", b""), "format.json"),
    "mark a list": ("coco", _bytes("format.json", b"[]"), "format.json"),
    "mark nested": ("coco", _bytes("format.json", DEEP), "format.json"),
    "mark of another version": ("coco", _bytes("format.json", b'{"format": "coco", "version": 9}'), "format.json"),
    "mark of no format": ("coco", _bytes("format.json", b'{"format": "voc", "version": 1}'), "voc"),
    "mark of a list": ("coco", _bytes("format.json", b'{"format": [], "version": 1}'), "format.json"),
    "mark of another format": ("coco", _bytes("format.json", b'{"format": "webdataset", "version": 1}'), "coco"),
    "recipe gone": ("coco", _gone("recipe.yaml"), "recipe.yaml"),
    "recipe a list": ("coco", _bytes("recipe.yaml", b"- 1\n"), "recipe.yaml"),
    "recipe of noise": ("coco", _bytes("recipe.yaml", bytes(range(128, 256))), "recipe.yaml"),
    "recipe without a split": ("coco", _bytes("recipe.yaml", b"name: x\n"), "recipe.yaml"),
    "recipe's split a number": ("coco", _bytes("recipe.yaml", b"name: x\nsplit: 7\n"), "recipe.yaml"),
    "numbers nested": ("coco", _bytes("dataset.json", DEEP), "dataset.json"),
    "numbers of words": ("coco", _bytes("dataset.json", b'{"samples": "many"}'), "dataset.json"),
    "counts gone": ("coco", _gone("records/splits.json"), "splits.json"),
    "counts a list": ("coco", _bytes("records/splits.json", b"[]"), "splits.json"),
    "counts nested": ("coco", _bytes("records/splits.json", DEEP), "splits.json"),
    "counts of a split above": ("coco", _bytes("records/splits.json", b'{"../x": 1}'), "splits.json"),
    "records cut": ("coco", _cut("records/train.jsonl"), "train.jsonl"),
    "records of null": ("coco", _bytes("records/train.jsonl", b"null\n"), "train.jsonl"),
    "records nested": ("coco", _bytes("records/train.jsonl", DEEP), "train.jsonl"),
    "records of noise": ("coco", _bytes("records/train.jsonl", bytes(range(128, 256))), "train.jsonl"),
    "records gone": ("imagefolder", _gone("records/train.jsonl"), "train.jsonl"),
    "table of text": ("huggingface", _bytes("data/*.parquet", b"no table"), ".parquet"),
    "table cut": ("huggingface", _cut("data/*.parquet"), ".parquet"),
    "table gone": ("huggingface", _gone("data/*.parquet"), "data"),
    "archive of text": ("webdataset", _bytes("**/*.tar", b"no archive"), ".tar"),
    "archive cut": ("webdataset", _cut("**/*.tar"), ".tar"),
    "archive gone": ("webdataset", _gone("**/*.tar"), "webdataset"),
}
