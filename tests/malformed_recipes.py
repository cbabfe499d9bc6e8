"""Recipes of splicing datasets and of retouched ones that are none, each by name, with what must be said of it."""

from __future__ import annotations

import json
from typing import Any

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

Case = tuple[str, str]  # a recipe's text, and a word that must be said


def _with(base: dict[str, Any], **changes: Any) -> str:
    """A recipe as JSON, which is YAML; what is ... is left out."""
    recipe = {key: value for key, value in (base | changes).items() if value is not ...}
    return json.dumps(recipe, indent=1, ensure_ascii=False)


def _of_splicing() -> dict[str, tuple[dict[str, Any], str]]:
    """By name: what is changed, and a word."""
    whole = {"name": "none", "share": 1.0}
    step = {"name": "a", "share": 1.0}
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
    found = {f"splicing: {name}": (_with(SPLICING, **c).encode(), w) for name, (c, w) in _of_splicing().items()}
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
