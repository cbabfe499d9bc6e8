"""croissant.json: a dataset described in the vocabulary Croissant 1.1, for what searches and loads datasets.

Source: the Croissant Format Specification 1.1 (mlcommons.org/croissant/1.1).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from synthharm.files import write_synced
from synthharm.writers.checksums import PICTURES, Checksums
from synthharm.writers.forensics.checked import LABELS
from synthharm.writers.forensics.item import About
from synthharm.writers.forensics.overview import UNKNOWN, Overview
from synthharm.writers.forensics.parquet import AUTHENTICITY
from synthharm.writers.forensics.record import KINDS

CROISSANT = "croissant.json"
VERSION = "1.0.0"  # of a dataset: other recipes make other datasets, under other names

CONTEXT: dict[str, Any] = {  # the specification's, with what provenance needs
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field"),
            *("fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset"),
            *("jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex", "repeated"),
            *("replace", "samplingRate", "separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
MEDIA = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".md": "text/markdown",
    ".parquet": "application/x-parquet",
    ".tar": "application/x-tar",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}
IMAGES = {  # by format, the folders that images are in, with the split's name where there is one for each
    "folder": ("images",),
    "coco": ("images",),
    "catnet": ("images",),
    "imagefolder": ("{split}",),
    "imdlbenco": ("{split}/Tp", "{split}/Au"),
    "mmsegmentation": ("img_dir/{split}",),
}
MASKS = {
    "folder": ("masks",),
    "coco": ("masks",),
    "catnet": ("masks",),
    "imagefolder": ("{split}/masks",),
    "imdlbenco": ("{split}/Gt",),
    "mmsegmentation": ("extras/mask",),
}
ABOUT_FIELDS = {  # of a record: type, where in it, and what it is
    "sample": ("sc:Integer", "sample", "The sample's number; its files are named after it."),
    "kind": ("sc:Text", "kind", f"What was done: {', '.join(KINDS)}."),
    "split": ("sc:Text", "split", "The split that all photos of the sample are in."),
    "licence": ("sc:Text", "licence.name", "The licence of the result."),
    "width": ("sc:Integer", "image.width", "Of the image, in pixels."),
    "height": ("sc:Integer", "image.height", "Of the image, in pixels."),
    "area": ("sc:Integer", "image.area", "Of the mask, in pixels."),
}

Json = dict[str, Any]


def write_croissant(folder: Path, form: str, numbers: Overview, about: About, files: Checksums) -> None:
    """Write croissant.json.

    The date of publication, which the vocabulary wants, is not known when a dataset is made: whoever publishes it
    adds `datePublished`, `url` and `creator`.

    Args:
        folder: the dataset's.
        form: the name of the format it is in.
        numbers: of the dataset.
        about: the dataset as a whole.
        files: what is known of every file to be described.
    """
    splits = [split for split in about.splits if numbers.of_split(split)]
    text = json.dumps(describe(form, numbers, about.name, splits, files), indent=1, ensure_ascii=False)
    write_synced(folder / CROISSANT, f"{text}\n".encode())


def describe(form: str, numbers: Overview, name: str, splits: Sequence[str], files: Checksums) -> Json:
    """The description as JSON: files one by one, but for images and labels, which are described by folder."""
    licences = [licence for licence in sorted(numbers.licences) if licence != UNKNOWN]
    sets = _file_sets(form, splits, files.others, files.pictures)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": _name(name),
        "description": f"{numbers.samples} images for the detection and localization of manipulated image regions,"
        f" {len(numbers.shares)} of them manipulated, with masks and with a record of how each was made.",
        "citeAs": f"@misc{{{_name(name)}, title = {{{_name(name)}}}, note = {{made with synthharm}}}}",
        "license": [_licence(licence) for licence in licences] or [_licence("see ATTRIBUTION.md")],
        "version": VERSION,
        "isLiveDataset": False,
        "keywords": ["image forensics", "image manipulation detection", "image splicing", "synthetic data"],
        "prov:wasDerivedFrom": {
            "@type": "prov:Entity",
            "description": f"{len(numbers.photos)} photos, in ATTRIBUTION.md with sha256, licence and author.",
        },
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "description": "synthharm generate recipe.yaml; each record says how its sample was made.",
        },
        "distribution": [*(_file_object(path, files.others[path]) for path in sorted(files.others)), *sets],
        "recordSet": _record_sets(form, sets),
    }


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:255] or "dataset"


def _licence(text: str) -> str | Json:
    """An address stands for itself; what is only a name is said to be one."""
    return text if re.fullmatch(r"https?://\S+", text) else {"@type": "sc:CreativeWork", "name": text}


def _file_object(path: str, digest: str) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": _name(path),
        "contentUrl": path,
        "encodingFormat": MEDIA.get(PurePosixPath(path).suffix, "application/octet-stream"),
        "sha256": digest,
    }


def _file_set(name: str, formats: Sequence[str], includes: Sequence[str], within: Sequence[str] = ()) -> Json:
    container = {"containedIn": [{"@id": path} for path in within]} if within else {}
    identity = f"{name}-files"  # a record set may have the bare name
    kind = {"@type": "cr:FileSet", "@id": identity, "name": _name(identity)}
    return kind | container | {"encodingFormat": list(formats), "includes": list(includes)}


def _file_sets(
    form: str, splits: Sequence[str], files: Mapping[str, str], found: Collection[tuple[str, str]]
) -> list[Json]:
    """Sets of files, where `found` has the folders and endings of images and labels."""
    if form == "huggingface":
        return [_file_set("table", [MEDIA[".parquet"]], ["data/*.parquet"])]
    if form == "webdataset":
        tars = [path for path in sorted(files) if path.endswith(".tar")]
        members = {"images": [f"{'?' * 6}{end}" for end in PICTURES]}
        members |= {f"{role}s" if role != "regions" else role: [f"*.{role}.png"] for role in LABELS}
        sets = {"images": [MEDIA[end] for end in PICTURES]}
        return [_file_set(name, sets.get(name, ["image/png"]), parts, tars) for name, parts in members.items()] + [
            _file_set("record", [MEDIA[".json"]], ["*.json"], tars)
        ]
    named = {"images": _expanded(IMAGES.get(form, ()), splits), "masks": _expanded(MASKS.get(form, ()), splits)}
    taken = {folder for folders in named.values() for folder in folders}
    parents = sorted({parent for parent, _ in found})
    named |= {parent: [parent] for parent in parents if parent not in taken}
    sets_of_pictures = [_pictures(name, folders, found) for name, folders in named.items()]
    return [
        *(one for one in sets_of_pictures if one),
        _file_set("record", [MEDIA[".jsonl"]], ["records/*.jsonl"]),
    ]


def _expanded(folders: Sequence[str], splits: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(folder.format(split=split) for split in splits for folder in folders))


def _pictures(name: str, folders: Sequence[str], found: Collection[tuple[str, str]]) -> Json | None:
    """A set of the pictures in some folders, or none where there are no such pictures."""
    here = sorted((folder, end) for folder, end in found if folder in folders)
    formats = sorted({MEDIA[end] for _, end in here})
    # Files of samples begin with a digit, which keeps those of folders below out.
    return _file_set(name, formats, [f"{folder}/[0-9]*{end}" for folder, end in here]) if here else None


def _record_sets(form: str, sets: Sequence[Json]) -> list[Json]:
    if form == "huggingface":
        return [_record_set("samples", "sample", "One sample a row.", _columns())]
    if form == "webdataset":
        fields = [
            _content("samples", "record", "sc:Text", "How the sample was made and its label, as JSON.", "record"),
            _number("samples", "record"),
        ]
    else:
        fields = [_line_field(name, *rest) for name, rest in ABOUT_FIELDS.items()]
    there = {one["@id"] for one in sets}
    samples = _record_set("samples", "sample", "One sample each, from its record.", fields)
    return [samples, *(_picture_records(name) for name in ("images", "masks") if f"{name}-files" in there)]


def _record_set(name: str, key: str, description: str, fields: list[Json]) -> Json:
    kind = {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description}
    return kind | {"key": {"@id": f"{name}/{key}"}, "field": fields}


def _field(record_set: str, name: str, data_type: str, description: str, source: Json) -> Json:
    kind = {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": f"{record_set}-{name}"}
    return kind | {"description": description, "dataType": data_type, "source": source}


def _columns() -> list[Json]:
    """The fields of the Parquet files."""
    texts = {
        "image": "The image, the bytes of its last save.",
        "mask": "255 where the image was manipulated, 0 elsewhere; null for authentic images.",
        "alpha": "How much of a pixel is the region's, 0 to 255.",
        "boundary": "255 in a band around the mask's rim.",
        "regions": "The number of the region at each pixel.",
    }
    fields = [
        _field("samples", name, "sc:ImageObject", text, _column(name) | {"transform": {"jsonPath": "bytes"}})
        for name, text in texts.items()
    ]
    values = {
        "label": ("sc:Integer", ", ".join(f"{n}: {name}" for n, name in enumerate(AUTHENTICITY))),
        "kind": ("sc:Integer", ", ".join(f"{n}: {name}" for n, name in enumerate(KINDS))),
        "sample": ("sc:Integer", "The sample's number."),
        "licence": ("sc:Text", "The licence of the result."),
        "record": ("sc:Text", "How the sample was made, as JSON."),
    }
    fields += [_field("samples", name, kind, text, _column(name)) for name, (kind, text) in values.items()]
    split = {"fileSet": {"@id": "table-files"}, "extract": {"fileProperty": "filename"}}
    split |= {"transform": {"regex": r"^(\w+)-\d+-of-\d+\.parquet$"}}
    return [*fields, _field("samples", "split", "sc:Text", "The split.", split)]


def _column(name: str) -> Json:
    return {"fileSet": {"@id": "table-files"}, "extract": {"column": name}}


def _line_field(name: str, data_type: str, path: str, description: str) -> Json:
    column, _, rest = path.partition(".")
    source: Json = {"fileSet": {"@id": "record-files"}, "extract": {"column": column}}
    return _field(
        "samples", name, data_type, description, source | ({"transform": {"jsonPath": rest}} if rest else {})
    )


def _content(record_set: str, name: str, data_type: str, description: str, files: str) -> Json:
    source = {"fileSet": {"@id": f"{files}-files"}, "extract": {"fileProperty": "content"}}
    return _field(record_set, name, data_type, description, source)


def _number(record_set: str, files: str) -> Json:
    """The sample's number, from the name of its file."""
    source: Json = {"fileSet": {"@id": f"{files}-files"}, "extract": {"fileProperty": "filename"}}
    source |= {"transform": {"regex": r"^0*(\d+)\."}}
    return _field(record_set, "sample", "sc:Integer", "The number of its sample.", source)


def _picture_records(name: str) -> Json:
    fields = [_content(name, "content", "sc:ImageObject", f"One of the {name}.", name), _number(name, name)]
    return _record_set(name, "sample", f"The {name}, each with the number of its sample.", fields)
