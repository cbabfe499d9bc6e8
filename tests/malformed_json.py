"""COCO files, records and camera tables that are not as they should be, each by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 160, 120
TRIANGLE = [[40.0, 30.0, 80.0, 30.0, 80.0, 70.0, 40.0, 70.0]]
GOOD = "good.png"
UNDRAWABLE = frozenset({"bad mask", "mask size", "empty mask", "bad entry"})
UNLISTED = frozenset({"bad entry", "missing", "outside"})
HOMELESS = frozenset({"no photo", "bad entry"})
USABLE = frozenset[str]()


@dataclass(frozen=True)
class EntryCase:
    """An image or an annotation of a COCO file as JSON text, and what is to become of it.

    Args:
        name: of the case.
        text: the entry.
        rejected: its name in rejects.jsonl; "" where it has no id: then its place in the file is filled in.
        fate: the reasons of which one must be given; none where the entry is usable as it is.
    """

    name: str
    text: str
    rejected: str
    fate: frozenset[str]


def _annotation(number: int, **changes: Any) -> str:
    """An annotation of the good photo as JSON; what is None is left out."""
    entry = {"id": number, "image_id": 1, "category_id": 1, "segmentation": TRIANGLE, "area": 1600, "iscrowd": 0}
    return json.dumps({key: value for key, value in (entry | changes).items() if value is not None})


def _runs(counts: Any, size: Any = (HEIGHT, WIDTH), **more: Any) -> dict[str, Any]:
    return {"size": list(size) if isinstance(size, tuple) else size, "counts": counts} | more


def _segmentations() -> dict[str, Any]:
    """What is no mask of the photo, whatever area is said to be its."""
    whole = HEIGHT * WIDTH
    return {
        "odd length": [[40, 30, 80, 30, 80, 70, 40]],
        "two points": [[40, 30, 80, 30]],
        "one number": [[40]],
        "an empty polygon": [[]],
        "no polygon": [],
        "as large as numbers go": [[1e308, 30, 80, 30, 80, 70]],
        "words for numbers": [["40", "30", "80", "30", "80", "70"]],
        "nothing among numbers": [[40, None, 80, 30, 80, 70]],
        "truth among numbers": [[True, 30, 80, 30, 80, 70]],
        "a flat list": [40, 30, 80, 30, 80, 70],
        "lists too deep": [[[40, 30], [80, 30], [80, 70]]],
        "points as objects": [[{"x": 40, "y": 30}, {"x": 80, "y": 30}, {"x": 80, "y": 70}]],
        "far to the right": [[9000, 30, 9040, 30, 9040, 70]],
        "far to the left": [[-9000, 30, -8000, 30, -8000, 70]],
        "just outside": [[-80, 30, -40, 30, -40, 70, -80, 70]],
        "a line": [[40, 30, 80, 30, 60, 30]],
        "a point": [[40, 30, 40, 30, 40, 30]],
        "absurdly long": [[0, 0, WIDTH, HEIGHT] * 2000],
        "a word": "none",
        "a number": 7,
        "truth": True,
        "an empty object": {},
        "runs without size": {"counts": [0, whole]},
        "runs without counts": {"size": [HEIGHT, WIDTH]},
        "runs too few": _runs([100, 100]),
        "runs too many": _runs([whole, whole]),
        "runs negative": _runs([-5, whole + 5]),
        "runs of fractions": _runs([100.5, whole - 100.5]),
        "runs as huge as numbers go": _runs([2**62, 2**62]),
        "no runs": _runs([]),
        "all background": _runs([whole]),
        "sides exchanged": _runs([0, whole], (WIDTH, HEIGHT)),
        "size of one side": _runs([0, whole], [whole]),
        "size of words": _runs([0, whole], ["120", "160"]),
        "size negative": _runs([0, whole], (-HEIGHT, -WIDTH)),
        "size huge": _runs([0, 2**40], (2**20, 2**20)),
        "compressed garbage": _runs("!!not runs!!"),
        "compressed empty": _runs(""),
        "compressed and cut": _runs("PPPP"),
        "compressed in other letters": _runs("данные"),
        "compressed number too long": _runs("o" * 400 + "0"),
    }


USUAL = {
    "runs": _runs([0, 4000, HEIGHT * WIDTH - 4000]),
    "a polygon over the border": [[-10.0, 30.0, 60.0, 30.0, 60.0, 90.0, -10.0, 90.0]],
    "two polygons": [*TRIANGLE, [90.0, 20.0, 120.0, 20.0, 120.0, 50.0]],
    "closed polygon": [[*TRIANGLE[0], *TRIANGLE[0][:2]]],
}


def annotation_cases() -> list[EntryCase]:
    """All of them on the photo 1; ids are 1000 and more, so that "annotation 1007" is one case."""
    cases: list[EntryCase] = []

    def add(name: str, fate: frozenset[str], id: Any = ..., **changes: Any) -> None:
        number = 1000 + len(cases)
        said = {} if id is ... else {"id": id}
        text = _annotation(number, **changes, **said)
        named = id if isinstance(id, str) or type(id) is int else number
        cases.append(
            EntryCase(name, text, "" if "id" in said and named == number else f"annotation {named}", fate)
        )

    for name, segmentation in _segmentations().items():
        add(name, UNDRAWABLE, segmentation=segmentation)
    for name, segmentation in USUAL.items():
        add(name, USABLE, segmentation=segmentation)
    add("no segmentation", UNDRAWABLE, segmentation=None)
    add("unknown category", UNDRAWABLE, category_id=77)
    add("category of another type", UNDRAWABLE, category_id="1")
    add("no category", UNDRAWABLE, category_id=None)
    add("category a list", UNDRAWABLE, category_id=[1])
    add("unknown photo", HOMELESS, image_id=77)
    add("photo of another type", HOMELESS, image_id="1")
    add("no photo", HOMELESS, image_id=None)
    add("photo a fraction", HOMELESS, image_id=1.5)
    add("area negative", UNDRAWABLE, area=-3)
    add("area a word", UNDRAWABLE, area="large")
    add("crowd a word", UNDRAWABLE, iscrowd="no")
    add("crowd a fraction", UNDRAWABLE, iscrowd=0.5)
    add("no id", UNDRAWABLE, id=None)
    add("id a fraction", UNDRAWABLE, id=1.5)
    add("id a list", UNDRAWABLE, id=[1])
    add("id empty", USABLE, id="")
    add("id a word", USABLE, id="первая")
    add("no area", USABLE, area=None)
    add("area too large", USABLE, area=1e9)
    add("box missing", USABLE)
    add("box of words", USABLE, bbox=["a"])
    add("unknown keys", USABLE, comment={"by": [1, 2, {"deep": None}]})
    for name, text in {
        "a number": "7",
        "a word": '"x"',
        "nothing": "null",
        "a list": "[1, 2]",
        "empty": "{}",
    }.items():
        cases.append(EntryCase(f"annotation {name}", text, "", HOMELESS))
    beyond = _annotation(900).replace("1600", "1e999")
    cases.append(EntryCase("area beyond all numbers", beyond, "annotation 900", UNDRAWABLE))
    cases.append(EntryCase("an id that is there before", _annotation(1, area=900), "annotation 1", UNDRAWABLE))
    return cases


def image_entry_cases() -> list[EntryCase]:
    """Images; each has an annotation of its own where it has an id. Ids are 2000 and more."""
    cases: list[EntryCase] = []

    def add(name: str, fate: frozenset[str], rejected: str = "", **changes: Any) -> None:
        number = 2000 + len(cases)
        entry = {"id": number, "file_name": f"copy {number}.png", "width": WIDTH, "height": HEIGHT} | changes
        text = json.dumps({key: value for key, value in entry.items() if value is not ...})
        cases.append(EntryCase(name, text, rejected or f"image {number}", fate))

    add("width 0", UNLISTED, width=0)
    add("height negative", UNLISTED, height=-1)
    add("width alone", UNLISTED, height=...)
    add("width a word", UNLISTED, width="160")
    add("width a fraction", UNLISTED, width=160.5)
    add("width beyond the file's", USABLE, width=2 * WIDTH)
    add("no file named", UNLISTED, file_name=...)
    add("file name empty", UNLISTED, file_name="")
    add("file name a number", UNLISTED, file_name=7)
    add("file name a list", UNLISTED, file_name=["a.png"])
    add("address a number", UNLISTED, file_name=..., coco_url=7)
    add("address without a path", UNLISTED, file_name=..., coco_url="http://example.org")
    add("address broken", UNLISTED, file_name=..., coco_url="http://[broken/a.png")
    add("the same file", UNLISTED, file_name=GOOD)
    add("file above", UNLISTED, "images/../above.png", file_name="../above.png")
    add("file far above", UNLISTED, "images/../../../etc/passwd", file_name="../../../etc/passwd")
    add("file at the root", UNLISTED, "/etc/passwd", file_name="/etc/passwd")
    add("file not there", UNLISTED, "images/not there.png", file_name="not there.png")
    add("file a folder", UNLISTED, "images/folder", file_name="folder")
    add("file with a zero", UNLISTED, "images/a\0b.png", file_name="a\0b.png")
    add("file name too long", UNLISTED, "images/" + "b" * 300, file_name="b" * 300)
    add("id of another type", UNLISTED, id=[1], rejected="images[{place}]")
    add("no id", UNLISTED, id=..., rejected="images[{place}]")
    add("id that is there before", UNLISTED, id=1, rejected="image 1")
    add("licence a word that is not explained", USABLE, license="9")
    add("licence nothing", USABLE, license=None)
    add("size not said", USABLE, width=..., height=...)
    add("unknown keys", USABLE, date_captured="0000-00-00", comment=[[[]]])
    cases.append(EntryCase("image a number", "7", "images[{place}]", UNLISTED))
    cases.append(EntryCase("image nothing", "null", "images[{place}]", UNLISTED))
    return cases


def _file(**changes: Any) -> bytes:
    content = {
        "images": [{"id": 1, "file_name": GOOD, "width": WIDTH, "height": HEIGHT}],
        "annotations": [json.loads(_annotation(1))],
        "categories": [{"id": 1, "name": "thing"}],
    } | changes
    return json.dumps({key: value for key, value in content.items() if value is not ...}).encode()


def coco_files() -> dict[str, bytes]:
    """Whole files that are no instances file."""
    good = _file()
    return {
        "empty": b"",
        "a blank": b" \n",
        "text": b"image,annotation\n1,2\n",
        "markup": b"<annotation><object/></annotation>",
        "yaml": b"images:\n- id: 1\n",
        "cut at a half": good[: len(good) // 2],
        "cut before its end": good[:-1],
        "more after its end": good + b"}",
        "two in one": good + b"\n" + good,
        "zeros": b"\0" * 300,
        "no utf-8": good.replace(b"thing", b"th\xffng"),
        "no utf-8 in an image": good.replace(b"good.png", b"g\xffod.png"),
        "no utf-8 in an annotation": good.replace(b'"iscrowd": 0', b'"iscrowd": "\xff"'),
        "no utf-8 in a segmentation": good.replace(b"[[", b'["\xff", ['),
        "no utf-8 in an id": good.replace(b'"id": 1, "image_id"', b'"id": "\xff", "image_id"'),
        "no utf-8 in an image's id": good.replace(b'"id": 1, "file_name"', b'"id": "\xff", "file_name"'),
        "a width beyond all numbers": good.replace(b'"width": 160', b'"width": 1' + b"0" * 30),
        "a width beyond 64 bits": good.replace(b'"width": 160', b'"width": 18446744073709551615'),
        "an area beyond all numbers": good.replace(b"1600", b"1e999"),
        "an id beyond 64 bits": good.replace(b'"id": 1', b'"id": 1' + b"0" * 30),
        "half a letter": good.replace(b"good", b"\\ud800"),
        "not a number": good.replace(b"1600", b"NaN"),
        "infinite": good.replace(b"1600", b"Infinity"),
        "utf-16": good.decode().encode("utf-16"),
        "a mark before it": b"\xef\xbb\xbf" + good,
        "a list at the top": b"[" + good + b"]",
        "a word at the top": b'"images"',
        "nothing at the top": b"null",
        "an empty object": b"{}",
        "no images": _file(images=...),
        "no annotations": _file(annotations=...),
        "images an object": _file(images={"1": {}}),
        "annotations a word": _file(annotations="none"),
        "categories a number": _file(categories=7),
        "a category without a name": _file(categories=[{"id": 1}]),
        "a licence without a name": _file(licenses=[{"id": 1}]),
        "nested without end": b"[" * 200_000,
        "nested in an annotation": good.replace(b"1600", b"[" * 100_000 + b"]" * 100_000),
        "single quotes": good.replace(b'"', b"'"),
        "comments": b"// COCO\n" + good,
        "a comma too many": good[:-1] + b",}",
        "images none": _file(images=[], annotations=[]),
        "annotations none": _file(annotations=[]),
    }


Spoil = Callable[[dict[str, Any]], Any]


def _set(*path: str | int, to: Any) -> Spoil:
    def spoil(record: dict[str, Any]) -> None:
        inner: Any = record
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to

    return spoil


def record_faults() -> dict[str, Spoil]:
    """Changes to a splice's record after which it can be made again no more, or not the same."""
    return {
        "photos none": _set("photos", to=[]),
        "photos a word": _set("photos", to="none"),
        "photos of numbers": _set("photos", to=[1, 2]),
        "photo without a name": _set("photos", 0, to={}),
        "photo above": _set("photos", 0, "photo", to="../secret.png"),
        "photo a number": _set("photos", 0, "photo", to=7),
        "photo not there": _set("photos", 0, "photo", to="images/not there.png"),
        "photo another": _set("photos", 0, "sha256", to="0" * 64),
        "edits a number": _set("edits", to=7),
        "edit unknown": _set("edits", 0, to={"edit": "magic"}),
        "edit of another photo": _set("edits", 0, "region", "photo", to=9),
        "edit's mask garbage": _set("edits", 0, "region", "mask", to="garbage"),
        "edit's mask a number": _set("edits", 0, "region", "mask", to=7),
        "edit's place a word": _set("edits", 0, "placement", to="here"),
        "edit's scale zero": _set("edits", 0, "placement", "scale", to=0),
        "edit's scale huge": _set("edits", 0, "placement", "scale", to=1e9),
        "edit's feather a word": _set("edits", 0, "cut", "feather", to="soft"),
        "edit's blending unknown": _set("edits", 0, "blending", to="glue"),
        "history none": _set("history", to=[]),
        "history a number": _set("history", to=7),
        "history's step unknown": _set("history", 0, to={"step": "magic"}),
        "history's quality 900": _set("history", -1, "quality", to=900),
        "unit a word": _set("unit", to="single"),
        "unit without a role": _set("unit", to={"type": "single"}),
        "image none": _set("image", to={}),
        "boundary a word": _set("image", "boundary", to="wide"),
        "boundary negative": _set("image", "boundary", to=-1),
        "files a list": _set("files", to=[]),
        "files none": _set("files", to={}),
        "versions a list": _set("versions", to=[]),
        "sample a word": _set("sample", to="first"),
        "sample negative": _set("sample", to=-4),
        "kind unknown": _set("kind", to="forged"),
        "kind a list": _set("kind", to=[]),
    }


def record_texts(good: str) -> dict[str, bytes]:
    """Whole files that are no record."""
    data = json.loads(good)
    return {
        "record of no bytes": b"",
        "record cut": good[: len(good) // 2].encode(),
        "record in utf-16": good.encode("utf-16"),
        "record a list": b"[1, 2]",
        "record null": b"null",
        "record with a key too many": json.dumps({**data, "more": 1}).encode(),
        "record with a key too few": json.dumps({k: v for k, v in data.items() if k != "unit"}).encode(),
        "record of zeros": b"\0" * 90,
        "record nested without end": b"[" * 200_000,
    }


def camera_tables() -> dict[str, bytes]:
    """Files of cameras' tables that are none."""
    table = [16] * 64
    good: dict[str, Any] = {"name": "A camera", "subsampling": "4:2:0", "tables": [table, table]}

    def of(**changes: Any) -> bytes:
        return json.dumps([{k: v for k, v in (good | changes).items() if v is not ...}]).encode()

    return {
        "no bytes": b"",
        "no json": b"name: A camera",
        "cut": of()[:-5],
        "utf-16": of().decode().encode("utf-16"),
        "an object": b"{}",
        "nothing": b"null",
        "a list of numbers": b"[1, 2]",
        "no camera": b"[]",
        "without a name": of(name=...),
        "with more": of(more=1),
        "a name of blanks": of(name="  "),
        "a name with a bell": of(name="A\a"),
        "a name of a number": of(name=7),
        "another subsampling": of(subsampling="4:1:1"),
        "subsampling a list": of(subsampling=[]),
        "tables a number": of(tables=7),
        "tables none": of(tables=[]),
        "one table": of(tables=[table]),
        "63 numbers": of(tables=[table[:-1], table]),
        "a zero": of(tables=[[0, *table[1:]], table]),
        "256": of(tables=[[256, *table[1:]], table]),
        "a fraction": of(tables=[[1.5, *table[1:]], table]),
        "a word": of(tables=[["1", *table[1:]], table]),
        "truth": of(tables=[[True, *table[1:]], table]),
        "rows": of(tables=[[[1] * 8] * 8, table]),
        "twice": json.dumps([good, good]).encode(),
        "nested without end": b"[" * 200_000,
    }
