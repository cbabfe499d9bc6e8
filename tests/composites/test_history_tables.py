"""Tables of cameras are what their own files say, found in a fixed order, and read back as they were written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from synthharm.composites.history.tables import (
    CameraTables,
    camera_name,
    collect_tables,
    read_tables,
    write_tables,
)
from synthharm.composites.history.verifying import quality_tables
from synthharm.errors import SynthharmError

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
MAKE, MODEL, SOFTWARE = 271, 272, 305

names = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda n: n.isprintable() and bool(n.strip()))
table = st.lists(st.integers(1, 255), min_size=64, max_size=64).map(tuple)
cameras = st.builds(CameraTables, names, st.tuples(table, table), st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]))
GOOD: dict[str, Any] = {"name": "A", "subsampling": "4:2:0", "tables": [[1] * 64, [2] * 64]}


def save(
    path: Path,
    make: str | None = "ACME",
    model: str | None = "One",
    *,
    size: tuple[int, int] = (640, 480),
    software: str | None = None,
    stated: tuple[int, int] | None = None,
    mode: str = "RGB",
    **settings: Any,
) -> None:
    """A photo as a camera might have saved it."""
    exif = Image.Exif()
    for tag, text in ((MAKE, make), (MODEL, model), (SOFTWARE, software)):
        if text is not None:
            exif[tag] = text
    if stated is not None:
        exif.get_ifd(0x8769).update({40962: stated[0], 40963: stated[1]})
    path.parent.mkdir(parents=True, exist_ok=True)
    by = {} if "qtables" in settings else {"quality": 90}  # with both, Pillow scales the tables
    Image.new(mode, size).save(path, "JPEG", exif=exif, **(by | {"subsampling": "4:2:0"} | settings))


def reasons(folder: Path) -> dict[str, str]:
    return {reject.name: reject.reason for reject in collect_tables(folder)[1]}


def test_each_pair_is_there_once_in_natural_order(tmp_path: Path) -> None:
    own = [list(range(1, 65)), list(range(64, 0, -1))]
    save(tmp_path / "a.jpg", qtables=own)
    save(tmp_path / "b" / "c.jpg", quality=80)
    save(tmp_path / "b" / "d.jpg", quality=80)
    save(tmp_path / "b" / "e.JPG", quality=80, subsampling="4:2:2")
    save(tmp_path / "f.jpg", make="ACME Inc.", model="ACME  Two \0", quality=70)
    found, rejected = collect_tables(tmp_path)
    assert [(camera.name, camera.subsampling) for camera in found] == [
        ("ACME One", "4:2:0"),
        ("ACME One (2)", "4:2:0"),
        ("ACME One (3)", "4:2:2"),
        ("ACME Two", "4:2:0"),
    ]
    assert found[0].tables == tuple(map(tuple, own))
    assert found[1].tables == found[2].tables == quality_tables(80)
    assert rejected == []


def test_what_no_camera_saved_is_named(tmp_path: Path) -> None:
    save(tmp_path / "anonymous.jpg", make=None, model=None)
    save(tmp_path / "edited.jpg", software="GIMP 2.4.5")
    save(tmp_path / "firmware.jpg", software="Ver. 1.00")
    save(tmp_path / "progressive.jpg", progressive=True)
    save(tmp_path / "resized.jpg", stated=(1280, 960))
    save(tmp_path / "thumbnail.jpg", size=(160, 120))
    save(tmp_path / "upright.jpg", size=(480, 640), stated=(640, 480))
    save(tmp_path / "unsaid.jpg", stated=(0, 0))
    assert reasons(tmp_path) == {
        "anonymous.jpg": "no camera",
        "edited.jpg": "saved again",
        "progressive.jpg": "saved again",
        "resized.jpg": "saved again",
        "thumbnail.jpg": "saved again",
    }


def test_what_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[:40])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("of the trip")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    Image.new("RGB", (640, 480)).save(tmp_path / "other.png")
    save(tmp_path / "grey.jpg", mode="L")
    save(tmp_path / "wide.jpg", qtables=[[300] * 64, [1] * 64])
    found, rejected = collect_tables(tmp_path)
    assert [camera.name for camera in found] == ["ACME One"]
    assert {reject.name: reject.reason for reject in rejected} == {
        **dict.fromkeys(["cut.jpg", "empty.jpg", "gone.jpg", "notes.txt", "other.png"], "not a JPEG"),
        "grey.jpg": "subsampling",
        "wide.jpg": "tables",
    }
    assert not any(str(tmp_path) in str(reject) for reject in rejected)


def patched(data: bytes, *, factors: int | None = None, second: int | None = None) -> bytes:
    """A JPEG whose header says other factors of luminance, or another table for the second chrominance."""
    changed, start = bytearray(data), data.index(b"\xff\xc0")
    if factors is not None:
        changed[start + 11] = factors
    if second is not None:
        changed[start + 18] = second
    return bytes(changed)


def test_the_tables_that_components_use_count_not_those_that_are_there(tmp_path: Path) -> None:
    tables = [[2] * 64, [3] * 64, [4] * 64]
    save(tmp_path / "three.jpg", qtables=tables)
    three = (tmp_path / "three.jpg").read_bytes()
    (tmp_path / "missing.jpg").write_bytes(patched(three, second=3))
    (tmp_path / "spare.jpg").write_bytes(patched(three, second=1))  # three are held, and two of them used
    (tmp_path / "upright.jpg").write_bytes(patched(three, factors=0x12))
    save(tmp_path / "one.jpg", qtables=[[5] * 64])
    found, rejected = collect_tables(tmp_path)
    assert {camera.tables for camera in found} == {((2,) * 64, (3,) * 64), ((5,) * 64, (5,) * 64)}
    assert {reject.name: reject.reason for reject in rejected} == {
        "missing.jpg": "not a JPEG",
        "three.jpg": "tables",
        "upright.jpg": "subsampling",
    }


def test_a_folder_that_is_none_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match="nowhere is no folder"):
        collect_tables(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("make", "model", "name"),
    [
        ("Canon", "Canon EOS 40D", "Canon EOS 40D"),
        ("EASTMAN KODAK COMPANY", "KODAK CX7530", "KODAK CX7530"),
        ("SONY", "DSC-D700", "SONY DSC-D700"),
        ("SONY", "", "SONY"),
        ("", "DSC-D700", "DSC-D700"),
        ("", "", ""),
    ],
)
def test_a_camera_is_named_once(make: str, model: str, name: str) -> None:
    assert camera_name(make, model) == name


@settings(max_examples=25)
@given(st.lists(cameras, max_size=4, unique_by=lambda camera: camera.name))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, tables: list[CameraTables]
) -> None:
    path = tmp_path_factory.mktemp("tables") / "tables.json"
    write_tables(path, tables)
    assert read_tables(path) == tables


def test_two_of_a_name_are_not_written(tmp_path: Path) -> None:
    camera = CameraTables("A", ((1,) * 64, (1,) * 64), "4:2:0")
    with pytest.raises(ValueError, match="the name 'A' is there twice"):
        write_tables(tmp_path / "tables.json", [camera, camera])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as camera tables"),
        ('{"a": 1}', "a dict; a list of entries is accepted"),
        ([1], "entry 0: it has 1; exactly name, subsampling, tables are accepted"),
        ([GOOD | {"more": 1}], "entry 0: it has more, name, subsampling, tables; exactly"),
        ([GOOD, GOOD], "entry 1: the name 'A' is there twice"),
        ([GOOD | {"name": " "}], "entry 0: the name is ' '; printable text is accepted"),
        ([GOOD | {"name": 3}], "entry 0: the name is 3; printable text is accepted"),
        ([GOOD | {"name": "a\nb"}], r"entry 0: the name is 'a\\nb'"),
        (
            [GOOD | {"subsampling": "4:1:1"}],
            "entry 0: the subsampling is '4:1:1'; accepted are 4:4:4, 4:2:2, 4:2:0",
        ),
        ([GOOD | {"subsampling": []}], r"entry 0: the subsampling is \[\]"),
        ([GOOD | {"tables": 3}], "entry 0: tables is 3; two lists of 64 numbers are accepted"),
        ([GOOD | {"tables": [[1] * 64]}], "entry 0: 1 tables; two are accepted"),
        ([GOOD | {"tables": [[1] * 63, [1] * 64]}], "entry 0: the luminance table has 63 numbers; 64"),
        ([GOOD | {"tables": [[1] * 64, [0] * 64]}], "entry 0: number 0 of the chrominance table is 0"),
        ([GOOD | {"tables": [[1] * 64, [1.5] * 64]}], "entry 0: number 0 of the chrominance table is 1.5"),
        ([GOOD | {"tables": [[True] * 64, [1] * 64]}], "entry 0: number 0 of the luminance table is True"),
    ],
)
def test_another_file_is_refused_by_entry_and_value(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "tables.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(SynthharmError, match=message) as caught:
        read_tables(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match="cannot be read as camera tables"):
        read_tables(tmp_path / "nowhere.json")


def test_what_ships_is_in_order_and_differs(tmp_path: Path) -> None:
    shipped = read_tables(RECIPES / "camera_tables.json")
    assert len({(camera.tables, camera.subsampling) for camera in shipped}) == len(shipped) > 10
    assert [camera.name for camera in shipped] == sorted(camera.name for camera in shipped)
    write_tables(tmp_path / "again.json", shipped)
    assert (tmp_path / "again.json").read_bytes() == (RECIPES / "camera_tables.json").read_bytes()
    assert all(np.array(camera.tables).shape == (2, 64) for camera in shipped)


def test_what_ships_is_what_the_photos_say(shared: Path) -> None:
    found, rejected = collect_tables(shared / "photos" / "camera_jpegs")
    assert found == read_tables(RECIPES / "camera_tables.json")
    assert {reject.reason for reject in rejected} == {"no camera", "saved again", "subsampling"}
