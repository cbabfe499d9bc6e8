"""Making one sample: a region, its composite, the files, what they measure, and the record of it all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm import __version__
from synthharm.composites import Composite, Encoder, decode_image, measure_recovery, retouch
from synthharm.composites.encoding import encode_png
from synthharm.errors import Unusable
from synthharm.files import sha256
from synthharm.filters import FilterChain
from synthharm.generate.plan import Plan
from synthharm.generate.reference import reference_colours
from synthharm.generate.sections import draw_strategy, encoder, filter_chain, limits, open_source, writer
from synthharm.masks import feather
from synthharm.recipe import Recipe, ReferenceDraw
from synthharm.sources import Photo, RegionEntry, Reject, Source, load_region
from synthharm.writers import Record, Writer

ATTEMPTS = 50  # regions tried for a sample before it is given up


@dataclass(frozen=True)
class Sample:
    """A finished sample: its record, and the bytes of its files by path."""

    record: Record
    files: dict[str, bytes]
    composite: Composite


@dataclass(frozen=True)
class Maker:
    """What a worker needs to make any sample of a plan."""

    plan: Plan
    source: Source
    chain: FilterChain
    encoder: Encoder
    writer: Writer

    @classmethod
    def of(cls, plan: Plan) -> Maker:
        """Open what the plan's recipe names."""
        recipe = plan.recipe
        return cls(plan, open_source(recipe), filter_chain(recipe), encoder(recipe), writer(recipe))

    def between(self, first: int, end: int) -> Iterator[tuple[Sequence[Sample], list[Reject]]]:
        """See `synthharm.generate.workshop.Maker`."""
        for number in range(first, end):
            sample, rejects = self.make(number)
            yield [] if sample is None else [sample], rejects

    def make(self, number: int) -> tuple[Sample | None, list[Reject]]:
        """Make sample `number`, and say what was rejected on the way; None if no region tried could be used."""
        rejects: list[Reject] = []
        for attempt in range(ATTEMPTS):
            try:
                return self._attempt(number, attempt), rejects
            except Unusable as error:
                rejects.append(Reject(error.name, error.reason, error.detail))
        detail = f"each of the {ATTEMPTS} regions tried was rejected"
        return None, [*rejects, Reject(f"sample {number}", "no region", detail)]

    def _attempt(self, number: int, attempt: int) -> Sample:
        place = self.plan.region(number, attempt)
        entry = self.plan.index.region(place)
        recipe = self.plan.recipe
        photo, mask = load_region(self.source, self.plan.index, place, soft=recipe.composite.soft)
        if recipe.composite.feather:
            mask = feather(mask, recipe.composite.feather)
        if not mask.any():
            raise Unusable(photo.key, "empty mask", f"region {entry.id}: no pixel is left inside")
        seed = self.plan.seed(number, attempt)
        generator = torch.Generator().manual_seed(seed)
        fitted = None
        if isinstance(recipe.draw, ReferenceDraw):
            toward, own = recipe.draw.toward, photo.sha256
            fitted = reference_colours(self.plan, self.source, toward, entry, own, number, attempt)
        drawn = draw_strategy(recipe.draw, None if fitted is None else fitted.statistics)
        composite = retouch(photo.pixels, mask, self.chain, generator, limits(recipe), drawn)
        if not composite.recoverable.any():
            raise Unusable(photo.key, "unrecoverable", f"region {entry.id}: no drawn arguments can be undone")
        if not composite.foreground_mse:
            raise Unusable(photo.key, "unchanged", f"region {entry.id}: no drawn arguments change it reversibly")
        how = _describe_draw(recipe, composite) | ({} if fitted is None else {"reference": fitted.described})
        return self._finish(number, seed, photo, entry, composite, how)

    def _finish(
        self,
        number: int,
        seed: int,
        photo: Photo,
        entry: RegionEntry,
        composite: Composite,
        how: dict[str, Any],
    ) -> Sample:
        paths = self.writer.place(self.plan.names(number, entry.photo, entry.id), self.encoder.suffix)
        data = {
            "image": self.encoder.encode(composite.image),
            "mask": encode_png(composite.mask),
            "real": self.encoder.encode(composite.real),
        }
        values = composite.arguments.values[0].double().numpy()
        recovery = composite.recovery
        if not self.encoder.lossless:
            written = decode_image(data["image"])
            judged = (composite.mask, composite.real, composite.recoverable, self.chain, values)
            recovery = measure_recovery(written, *judged)
        record = Record(
            sample=number,
            kind=self.plan.recipe.composite.kind,
            split=self.plan.split(entry.photo, photo.sha256),
            seed=seed,
            source=describe_source(photo),
            region=_describe_region(entry, composite.mask, self.plan),
            chain={"filters": [f.name for f in self.chain.filters], "statistics": self.chain.statistics},
            arguments=composite.arguments.as_dicts()[0],
            draw=how,
            measured={
                "recoverable": composite.recoverable_share,
                "foreground_mse": composite.foreground_mse,
                "recovery_mse": recovery.mse,
                "recovery_psnr": recovery.psnr,
            },
            encoder=self.encoder.settings(),
            files={
                role: {"path": paths[role], "sha256": sha256(content), "bytes": len(content)}
                for role, content in data.items()
            },
            versions=library_versions(),
        )
        return Sample(record, {paths[role]: content for role, content in data.items()}, composite)


def _describe_draw(recipe: Recipe, composite: Composite) -> dict[str, Any]:
    arguments = composite.arguments
    wanted = float(arguments.wanted[0])
    return {
        "mode": recipe.draw.mode,
        "attempts": int(arguments.attempts[0]),
        "kept": float(arguments.kept[0]),
        "wanted_mse": None if math.isnan(wanted) else wanted,
        "computed": composite.computed,
    }


def describe_source(photo: Photo) -> dict[str, Any]:
    """A photo, for a record."""
    height, width = photo.pixels.shape[:2]
    return {
        "photo": photo.key,
        "sha256": photo.sha256,
        "width": width,
        "height": height,
        "licence": photo.licence,
        "attribution": photo.attribution,
        "encoding": photo.encoding,
    }


def _describe_region(entry: RegionEntry, mask: NDArray[np.uint8], plan: Plan) -> dict[str, Any]:
    inside = mask > 0
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    area = int(inside.sum())
    return {
        "id": entry.id,
        "mask": entry.mask,
        "category": entry.category,
        "area": area,
        "share": area / mask.size,
        "box": [
            int(columns[0]),
            int(rows[0]),
            int(columns[-1] - columns[0] + 1),
            int(rows[-1] - rows[0] + 1),
        ],
        "soft": plan.recipe.composite.soft,
        "feather": plan.recipe.composite.feather,
    }


@cache
def library_versions() -> dict[str, str]:
    """The versions of what the bytes of a sample depend on."""
    libraries = (
        "torch",
        "timm",
        "numpy",
        "scipy",
        "numba",
        "opencv-python-headless",
        "pillow",
        "pycocotools",
        "pymatting",
    )
    return {"synthharm": __version__, **{name: version(name) for name in libraries}}


@cache
def finishing_versions() -> dict[str, str]:
    """The versions of what else tables, formats and audits depend on, all of which are written at the end."""
    return {name: version(name) for name in ("pyarrow", "datasets", "scikit-learn")}
