"""README.md of a dataset: what it is, in numbers and pictures, and how it is used, as Hugging Face shows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from synthharm.files import atomic_file, write_synced
from synthharm.writers.forensics.item import About
from synthharm.writers.forensics.loading import CONTENTS, PATTERNS, loading
from synthharm.writers.forensics.overview import Overview, attributions, plain
from synthharm.writers.forensics.pictures import distributions_sheet, samples_sheet
from synthharm.writers.forensics.record import KINDS
from synthharm.writers.spread import middle_of
from synthharm.yamlfile import dump_yaml

CARD, ATTRIBUTION = "README.md", "ATTRIBUTION.md"
SAMPLES, DISTRIBUTIONS = "card/samples.png", "card/distributions.png"
MOST_CATEGORIES = 30  # in the card's table

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
HUB_LICENCES = {  # those of the licences of photos that Hugging Face has an identifier for
    "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0",
    "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "pddl", "odbl", "apache-2.0", "mit", "unlicense",
}  # fmt: skip
KIND_MEANINGS = {
    "authentic": "nothing was manipulated; the image went through a history like all others",
    "retouch": "the colours of a region were changed where it stands",
    "splice": "a region of another photo was put in",
    "harmonized_splice": "a region of another photo was put in, its colours fitted to where it stands",
    "copy_move": "a region of the image was put in another place of it",
    "removal": "a region was filled in from what is around it",
}
ROLE_MEANINGS = {
    "image": "the image, the bytes of its last save",
    "mask": "255 where the image was manipulated, 0 elsewhere",
    "alpha": "how much of a pixel is the region's, 0 to 255",
    "boundary": "255 in a band on both sides of the mask's rim, where a pixel belongs to neither side alone",
    "regions": "the number of the region at each pixel, 0 for none; the record lists the regions by number",
    "source": "for each region cut out of a photo: its mask there, for copy_move its mask in the image",
}


def write_card(folder: Path, form: str, numbers: Overview, about: About, pictures: bool = True) -> None:
    """Write README.md and ATTRIBUTION.md, and the card's pictures.

    Args:
        folder: the dataset's.
        form: the name of the format it is in.
        numbers: of the dataset.
        about: the dataset as a whole.
        pictures: whether they are drawn; a dataset without samples has none.

    Raises:
        ValueError: a format that is unknown, or an image that cannot be decoded.
    """
    shown = pictures and numbers.samples > 0
    with atomic_file(folder / ATTRIBUTION) as file:
        file.writelines(line.encode() for line in attributions(numbers))
    text = f"---\n{dump_yaml(front_matter(form, numbers, about))}---\n\n{_prose(form, numbers, about, shown)}"
    write_synced(folder / CARD, text.encode())
    if shown:
        (folder / SAMPLES).parent.mkdir(exist_ok=True)
        write_synced(folder / SAMPLES, samples_sheet(numbers))
        write_synced(folder / DISTRIBUTIONS, distributions_sheet(numbers, about.splits))


def front_matter(form: str, numbers: Overview, about: About) -> dict[str, Any]:
    """What Hugging Face reads at the head of a card."""
    size = next((name for most, name in SIZES if numbers.samples < most), "n>1M")
    head: dict[str, Any] = {"pretty_name": about.name, **_licence(numbers), "size_categories": [size]}
    head["task_categories"] = ["image-segmentation"]
    head["tags"] = ["image-forensics", "image-manipulation-detection", "image-splicing", "synthetic"]
    if form in PATTERNS and numbers.samples:
        files = [{"split": s, "path": PATTERNS[form](s)} for s in about.splits if numbers.of_split(s)]
        head["configs"] = [{"config_name": "default", "data_files": files}]
    return head


def _licence(numbers: Overview) -> dict[str, Any]:
    names = sorted(numbers.licences)
    if len(names) == 1 and (known := hub_licence(names[0])):
        return {"license": known}
    name = re.sub(r"[^a-z0-9.]+", "-", names[0].lower()).strip("-") if len(names) == 1 else "several-licences"
    return {"license": "other", "license_name": name or "unknown", "license_link": ATTRIBUTION}


def hub_licence(name: str) -> str | None:
    """Hugging Face's identifier of a licence, from its name, its SPDX identifier or its address.

    Example:
        >>> hub_licence("CC BY-SA 4.0"), hub_licence("Attribution (http://creativecommons.org/licenses/by/2.0/)")
        ('cc-by-sa-4.0', 'cc-by-2.0')
    """
    if address := re.search(r"creativecommons\.org/licenses/([a-z-]+)/([0-9.]+)", name):
        found = f"cc-{address[1]}-{address[2]}"
    elif "creativecommons.org/publicdomain/zero/1.0" in name:
        found = "cc0-1.0"
    else:
        found = re.sub(r"[\s_-]+", "-", name.strip().lower())
        found = {"cc0": "cc0-1.0"}.get(found, found)
    return found if found in HUB_LICENCES else None


def _prose(form: str, numbers: Overview, about: About, pictures: bool) -> str:
    split = next((s for s in about.splits if numbers.of_split(s)), about.splits[0])
    suffix = max(numbers.suffixes, key=lambda one: (numbers.suffixes[one], one), default=".jpg")
    sections = [
        f"# {plain(about.name)}\n",
        _introduction(numbers, pictures),
        "## Numbers\n",
        _table(["kind", *about.splits, "all"], _counts(numbers, about.splits)),
        "\n".join(_distributions(numbers)) + "\n",
        *([f"![Distributions]({DISTRIBUTIONS})\n"] if pictures else []),
        *_categories(numbers),
        "## Loading\n",
        f"{CONTENTS[form]}\n",
        "FOLDER stands for the dataset's folder.\n",
        loading(form, split, suffix),
        "## What the labels mean\n",
        _table(["kind", "what was done"], [[k, KIND_MEANINGS[k]] for k in KINDS if numbers.of_kind(k)]),
        _table(["file", "what it holds"], [[role, meaning] for role, meaning in ROLE_MEANINGS.items()]),
        LABELS,
        "## How it was made\n",
        MAKING,
        "## Licences\n",
        _table(["licence", "samples"], [[plain(n), f"{numbers.licences[n]:,}"] for n in sorted(numbers.licences)]),
        f"The photos, {len(numbers.photos):,} of them, are listed with licence and attribution in"
        f" [{ATTRIBUTION}]({ATTRIBUTION}). A sample's own licence and attribution are in its record.\n",
        "## Limits\n",
        LIMITS + _separation(numbers),
    ]
    return "\n".join(sections)


LABELS = """\
Labels have the size of their image and fit it pixel by pixel; only sources in other photos have the size of those.
Authentic images have no label files. Each record tells the photos, the edits and the history of its
sample, and the sha256 of its files.
"""
MAKING = """\
The images were composed from photos and masks by synthharm, as `recipe.yaml` says, and then taken through a
history of steps and saves. No image was altered after its last save. The first line of `recipe.yaml` is the
command that makes the dataset again from the same photos; `synthharm replay` makes one sample again, from its
record. `sha256sum -c SHA256SUMS` compares all files with what was written.
"""
LIMITS = """\
- The manipulations were drawn at random from a recipe: what is shown need not be plausible, and nobody tried to
  deceive with it.
- Masks are as exact as the masks of the source that regions were cut out with.
- "Authentic" means that nothing was manipulated here. What was done to a photo before it came into the source is
  not known.
"""


def _introduction(numbers: Overview, pictures: bool) -> str:
    manipulated = len(numbers.shares)
    lines = [
        f"{numbers.samples:,} images for the detection and localization of manipulated image regions:"
        f" {manipulated:,} manipulated, {numbers.samples - manipulated:,} authentic, made from"
        f" {len(numbers.photos):,} photos.\n"
    ]
    if pictures:
        lines.append(f"![Samples]({SAMPLES})\n")
        lines.append("Each image is shown beside itself in grey, with what was manipulated in colour.\n")
    return "\n".join(lines)


def _separation(numbers: Overview) -> str:
    if shared := len(numbers.shared):
        return f"- {shared:,} photos are in more than one split: a model may know them from training.\n"
    return "- No photo is in more than one split. The source may hold copies of one under several names.\n"


def _counts(numbers: Overview, splits: Sequence[str]) -> list[list[str]]:
    rows = []
    for kind in KINDS:
        if total := numbers.of_kind(kind):
            rows.append([kind, *(f"{numbers.kinds[split, kind]:,}" for split in splits), f"{total:,}"])
    return [*rows, ["all", *(f"{numbers.of_split(split):,}" for split in splits), f"{numbers.samples:,}"]]


def _distributions(numbers: Overview) -> Iterator[str]:
    if numbers.sides:
        low, middle, high = (round(v) for v in _spread(numbers.sides))
        yield f"- Longer side of the images: {low} to {high} pixels, median {middle}."
    if numbers.shares:
        found = (numbers.shares.lowest, numbers.shares.median, numbers.shares.highest)
        least, usual, most = (f"{100 * value:.2g}%" for value in found)
        yield f"- Share of the image that is manipulated: {least} to {most}, median {usual}."
    if numbers.saves:
        yield f"- Last save: {_listed(numbers.saves)}."
    if numbers.qualities:
        low, middle, high = (round(v) for v in _spread(numbers.qualities))
        yield f"- JPEG quality of the last save: {low} to {high}, median {middle}."
    if numbers.lossy:
        yield f"- Saves as JPEG or WebP in the history: {_listed(numbers.lossy)}."
    if numbers.lengths:
        yield f"- Steps of the history: {_listed(numbers.lengths)}."


def _spread(counts: Counter[int]) -> tuple[float, float, float]:
    """The lowest, the median and the highest of what was counted."""
    return min(counts), middle_of(counts), max(counts)


def _listed(counts: Any) -> str:
    return ", ".join(f"{name} ({counts[name]:,})" for name in sorted(counts))


def _categories(numbers: Overview) -> Iterator[str]:
    if not numbers.categories:
        return
    ordered = sorted(numbers.categories.items(), key=lambda pair: (-pair[1], pair[0]))
    yield _table(["category", "regions"], [[plain(c), f"{n:,}"] for c, n in ordered[:MOST_CATEGORIES]])
    if len(ordered) > MOST_CATEGORIES:
        rest = ordered[MOST_CATEGORIES:]
        yield f"{len(rest):,} more categories have {sum(n for _, n in rest):,} regions.\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
