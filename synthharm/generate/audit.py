"""The shortcut audit: whether anything but what a picture shows tells manipulated samples from authentic ones.

A detector trained on a dataset takes the easiest way. If manipulated files are larger, saved at another quality or
a little darker, that is what it learns. So simple classifiers are given those things alone, and must fail.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from synthharm.errors import SynthharmError
from synthharm.generate.judged import Judged
from synthharm.writers.forensics import KINDS

LIMIT = 0.6  # the largest area under the ROC curve that is no shortcut; .5 is chance
FEWEST = 20  # samples of a class below which an area says nothing
FORMATS = ("JPEG", "PNG", "WEBP")
REDUCTION = 8  # colours are measured on JPEG pictures decoded at this fraction
_FOLDS = 5
_CLASSIFIERS = ("logistic_regression", "gradient_boosting")
_TREES, _LEAVES, _LEAF = 60, 8, 5  # of the boosting: trees, their leaves, and the fewest samples in a leaf
_SUBSAMPLINGS: dict[tuple[float, float], float] = {(1, 1): 0.0, (2, 1): 1.0, (2, 2): 2.0, (1, 2): 3.0, (4, 1): 4.0}
_OTHER_SUBSAMPLING = 5.0
# What a picture cannot do without; all else in a file is metadata.
_CHUNKS = {"PNG": (b"IHDR", b"PLTE", b"IDAT", b"IEND"), "WEBP": (b"VP8 ", b"VP8L", b"VP8X", b"ALPH")}
_SCAN, _END = 0xDA, 0xD9  # JPEG's markers: start of scan, end of image
_BARE = {0x01, _END, *range(0xD0, 0xD9)}  # those without a length
_METADATA = {0xFE, *range(0xE0, 0xF0)}  # comments and application segments
_SAID = {
    "auc": "over all features tells manipulated from authentic",
    "kinds": "is told from authentic by gradient boosting",
    "features": "by itself tells manipulated from authentic",
}
CHOSEN = "whole units, by the sha256 of their numbers"
_TANGLED = "cannot be judged: too few samples have no photo or unit in common"

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Audit:
    """How well samples can be told apart by what their pictures do not show.

    All areas are under the ROC curve, where 1/2 is chance and 1 certainty.

    Args:
        auc: of each classifier over all features, manipulated against authentic, on photos it was not trained on.
        kinds: of gradient boosting trained for one kind alone, against authentic.
        features: of each feature by itself, whichever way it points, so never below 1/2.
        errors: the standard error of each of those, by "auc", "kinds" or "features" and name.
        samples: how many there are of each kind.
        warning: what is above LIMIT and what could not be judged, a sentence each; empty for a good dataset.
        total: how many samples the dataset has, where only a part of them was judged.
    """

    auc: dict[str, float]
    kinds: dict[str, float]
    features: dict[str, float]
    errors: dict[str, dict[str, float]]
    samples: dict[str, int]
    warning: tuple[str, ...]
    total: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON values; `judged` is there where only a part of the samples was."""
        found = asdict(self) | {"limit": LIMIT, "warning": list(self.warning)}
        total = found.pop("total")
        judged = {"samples": sum(self.samples.values()), "of": total, "chosen": CHOSEN}
        return found | ({} if total is None else {"judged": judged})


def features(sample: int, data: bytes) -> dict[str, float]:
    """What a reader of an image file learns without looking at the picture.

    Args:
        sample: the number of the one that the file belongs to, for errors alone.
        data: the file's bytes.

    Returns:
        By name, the same names for every file: width, height, pixels, aspect_ratio (width to height),
        width_multiple_of_8, height_multiple_of_8; file_bytes, bytes_per_pixel, metadata_bytes, segments (JPEG's
        markers before its first scan, or chunks); format_jpeg, format_png, format_webp; progressive,
        subsampling (0 to 5: 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1, other), luminance_table_mean,
        luminance_table_first, luminance_table_second, and the same of chrominance_table, 0 where a file has no
        such table; red_mean, red_deviation, and the same of green and blue, on 0..255.

    Raises:
        SynthharmError: the bytes are no JPEG, PNG or WebP image.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (16, 9), (255, 128, 0)).save(file, "PNG")
        >>> found = features(0, file.getvalue())
        >>> found["format_png"], found["height_multiple_of_8"], found["green_mean"]
        (1.0, 0.0, 128.0)
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            kind = "JPEG" if image.format == "MPO" else str(image.format)
            width, height = image.size
            found = _size_features(width, height) | _file_features(kind, data, width * height)
            found |= _jpeg_features(image)
            image.draft("RGB", (max(width // REDUCTION, 1), max(height // REDUCTION, 1)))
            return found | _colour_features(np.asarray(image.convert("RGB")))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SynthharmError(
            f"sample {sample:06d}: its image ({len(data)} bytes starting with {data[:8]!r}) cannot be read: "
            f"{error}; {', '.join(FORMATS)} are accepted"
        ) from error


def _size_features(width: int, height: int) -> dict[str, float]:
    return {
        "width": float(width),
        "height": float(height),
        "pixels": float(width * height),
        "aspect_ratio": width / height,
        "width_multiple_of_8": float(width % 8 == 0),
        "height_multiple_of_8": float(height % 8 == 0),
    }


def _file_features(kind: str, data: bytes, pixels: int) -> dict[str, float]:
    parts = _jpeg_segments(data) if kind == "JPEG" else _chunks(kind, data)
    return {
        "file_bytes": float(len(data)),
        "bytes_per_pixel": len(data) / pixels,
        "metadata_bytes": float(sum(size for _, size, metadata in parts if metadata)),
        "segments": float(len(parts)),
        **{f"format_{name.lower()}": float(kind == name) for name in FORMATS},
    }


def _jpeg_segments(data: bytes) -> list[tuple[int, int, bool]]:
    """Marker, size in bytes and whether it is metadata, of all before the first scan."""
    found, place = [], 2
    while place + 4 <= len(data):
        marker = data[place + 1]
        if data[place] != 0xFF or marker == _SCAN:
            break
        if marker == 0xFF:  # padding
            place += 1
            continue
        size = 2 if marker in _BARE else 2 + int.from_bytes(data[place + 2 : place + 4])
        found.append((marker, size, marker in _METADATA))
        place += size
    return found


def _chunks(kind: str, data: bytes) -> list[tuple[bytes, int, bool]]:
    """Name, size in bytes and whether it is metadata, of all of a PNG or WebP file."""
    found, place = [], 8 if kind == "PNG" else 12
    while place + 8 <= len(data):
        if kind == "PNG":
            name, length = data[place + 4 : place + 8], int.from_bytes(data[place : place + 4])
            size = 12 + length
        else:
            name, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
            size = 8 + length + length % 2
        found.append((name, size, name not in _CHUNKS[kind]))
        place += size
    return found


def _jpeg_features(image: Image.Image) -> dict[str, float]:
    tables: dict[int, list[int]] = {}
    subsampling, progressive = 0.0, 0.0
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        tables = image.quantization
        progressive = float("progressive" in image.info)
        if len(image.layer) > 1:
            across, down = (image.layer[0][i] / image.layer[1][i] for i in (1, 2))
            subsampling = _SUBSAMPLINGS.get((across, down), _OTHER_SUBSAMPLING)
    found = {"progressive": progressive, "subsampling": subsampling}
    for number, name in enumerate(("luminance_table", "chrominance_table")):
        table = tables.get(number, [0, 0])
        found |= {f"{name}_mean": float(np.mean(table))}
        found |= {f"{name}_first": float(table[0]), f"{name}_second": float(table[1])}
    return found


def _colour_features(image: NDArray[np.uint8]) -> dict[str, float]:
    found = {}
    for channel, name in enumerate(("red", "green", "blue")):
        found[f"{name}_mean"] = float(image[..., channel].mean(dtype=np.float64))
        found[f"{name}_deviation"] = float(image[..., channel].std(dtype=np.float64))
    return found


def audit(items: Iterable[tuple[Judged, bytes]], total: int | None = None) -> Audit:
    """Look for shortcuts in a dataset.

    Classifiers are judged in folds that keep together whatever shares a unit or a target photo: what a photo
    looks like is no shortcut, and must not be learnt from its other samples. The areas of the folds are averaged.

    Args:
        items: what is known of a sample and its image file's bytes, held only as long as its features take.
        total: how many samples the dataset has, where these are a part of them.

    Returns:
        The areas, and a warning for each above LIMIT. With fewer than FEWEST samples of a class nothing is
        judged, and the warning says so.

    Raises:
        SynthharmError: a file is no JPEG, PNG or WebP image.
    """
    samples, rows = [], []
    for sample, data in items:
        samples.append(sample)
        rows.append(features(sample.sample, data))
    found = audit_features(samples, rows)
    return found if total in (None, len(samples)) else replace(found, total=total)


def audit_features(records: Sequence[Judged], rows: Sequence[dict[str, float]]) -> Audit:
    """Do what `audit` does with features that are measured already: one row for each sample."""
    samples = {kind: sum(record.kind == kind for record in records) for kind in KINDS}
    samples = {kind: count for kind, count in samples.items() if count}
    labels = np.array([record.manipulated for record in records], dtype=bool)
    if short := _too_few("manipulated", labels):
        return _audit([], samples, [short])
    table = np.array([list(row.values()) for row in rows], dtype=np.float64)
    folds = _folds(labels, _groups(records))
    found = [_Area("features", name, *_single(labels, table[:, column])) for column, name in enumerate(rows[0])]
    unjudged = []
    for name in _CLASSIFIERS:
        if judged := _judge(name, table, labels, folds):
            found.append(_Area("auc", name, *judged))
        else:
            unjudged.append(f"{name}: {_TANGLED}")
    for kind in (kind for kind in samples if kind != "authentic"):
        chosen = np.array([record.kind in (kind, "authentic") for record in records], dtype=bool)
        if short := _too_few(kind, labels[chosen]):
            unjudged.append(short)
        elif judged := _judge("gradient_boosting", table[chosen], labels[chosen], folds[chosen]):
            found.append(_Area("kinds", kind, *judged))
        else:
            unjudged.append(f"{kind}: {_TANGLED}")
    return _audit(found, samples, unjudged)


@dataclass(frozen=True)
class _Area:
    about: Literal["auc", "kinds", "features"]
    name: str
    value: float
    variance: float


def _audit(found: list[_Area], samples: dict[str, int], unjudged: list[str]) -> Audit:
    areas: dict[str, dict[str, float]] = {about: {} for about in _SAID}
    errors: dict[str, dict[str, float]] = {about: {} for about in _SAID}
    for area in found:
        # A fit's last digits depend on the processor, and four are more than the standard error leaves.
        areas[area.about][area.name] = round(area.value, 4)
        errors[area.about][area.name] = round(area.variance**0.5, 4)
    warning = [
        f"{name} {_SAID[about]} with an area under the curve of {value:.3f} "
        f"(standard error {errors[about][name]:.3f}); at most {LIMIT} is wanted"
        for about in _SAID
        for name, value in areas[about].items()
        if value > LIMIT
    ]
    return Audit(areas["auc"], areas["kinds"], areas["features"], errors, samples, (*warning, *unjudged))


def _single(labels: NDArray[np.bool_], values: Numbers) -> tuple[float, float]:
    """The area of one feature, whichever way it points, and its variance."""
    area = _area(labels, values)
    area = max(area, 1 - area)
    return area, _variance(area, labels)


def _too_few(kind: str, labels: NDArray[np.bool_]) -> str:
    """Why two classes cannot be judged; empty where they can."""
    positive, negative = int(labels.sum()), int((~labels).sum())
    if min(positive, negative) >= FEWEST:
        return ""
    return f"too few to judge: {positive} {kind} and {negative} authentic samples; at least {FEWEST} of each"


def _groups(records: Sequence[Judged]) -> NDArray[np.int64]:
    """A number for each sample, the same for all that hang together by unit or target photo."""
    parent = list(range(len(records)))

    def root(sample: int) -> int:
        while parent[sample] != sample:
            parent[sample] = parent[parent[sample]]
            sample = parent[sample]
        return sample

    first: dict[tuple[str, Any], int] = {}
    for sample, record in enumerate(records):
        for key in (("unit", record.unit), ("photo", record.target)):
            low, high = sorted((root(first.setdefault(key, sample)), root(sample)))
            parent[high] = low
    return np.array([root(sample) for sample in range(len(records))], dtype=np.int64)


def _folds(labels: NDArray[np.bool_], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of the fold that each sample is in; no group is in two."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.zeros(len(labels), dtype=np.int64)
    if (count := min(_FOLDS, len(np.unique(groups)))) > 1:
        splits = StratifiedGroupKFold(count, shuffle=True, random_state=0).split(labels, labels, groups)
        for number, (_, test) in enumerate(splits):
            found[test] = number
    return found


def _judge(
    classifier: str, table: Numbers, labels: NDArray[np.bool_], folds: NDArray[np.int64]
) -> tuple[float, float] | None:
    """The mean area over folds and its variance; None where no fold has both classes to learn and to test."""
    total, weighted, variance = 0.0, 0.0, 0.0
    for number in range(_FOLDS):
        test = folds == number
        learnt, tested = labels[~test], labels[test]
        if len(set(learnt.tolist())) < 2 or len(set(tested.tolist())) < 2:
            continue
        model = _classifier(classifier).fit(table[~test], learnt)
        area = _area(tested, model.predict_proba(table[test])[:, 1])
        # Scores are compared within a fold only: what another fold was trained on shifts all of its scores.
        weight = float(tested.sum()) * float((~tested).sum())
        total, weighted = total + weight, weighted + weight * area
        variance += weight**2 * _variance(area, tested)
    return (weighted / total, variance / total**2) if total else None


def _classifier(name: str) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "logistic_regression":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return HistGradientBoostingClassifier(
        max_iter=_TREES,
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=_LEAF,
        early_stopping=False,
        random_state=0,
    )


def _area(labels: NDArray[np.bool_], scores: Numbers) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))


def _variance(area: float, labels: NDArray[np.bool_]) -> float:
    """Of an area under the curve (Hanley and McNeil, Radiology 143, 1982)."""
    positive, negative = float(labels.sum()), float((~labels).sum())
    both_positive, both_negative = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (positive - 1) * (both_positive - area**2) + (negative - 1) * (both_negative - area**2)
    return (area * (1 - area) + spread) / (positive * negative)
