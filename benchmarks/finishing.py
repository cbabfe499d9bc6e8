"""What finishing takes for each sample, in seconds and in memory, beside what making it takes.

    OMP_NUM_THREADS=1 python benchmarks/finishing.py

Makes the records of so many samples of a splicing and of a harmonization dataset, without an image, over 2000
photos, and runs each step of finishing on them in a process of its own, which says how many seconds of the
processor it took and by how much its memory grew at most. `read records` is what every pass over them begins with;
finishing makes one, and one more for each format. Two steps need files, and so have fewer samples: `export`, which
makes a hard link of each of five small files of a sample, and what lists them, in the format imagefolder; and
`check sums`, which reads all.

Each step is run on two numbers of samples. What a sample takes is the difference of the runs by that of the
numbers, and what is left is fixed. Buffers hold 100,000 rows and 30,000 audited samples at most: where both
numbers are larger, buffers are full in both runs and no part of `bytes_a_sample`. The two steps that need files
have too few samples for that, and no such figure. Writes results/finishing.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

from measuring import RESULTS, peak_memory, print_table, write_result

from synthharm.files import atomic_file, sha256
from synthharm.generate.certificate import Used, write_certificate
from synthharm.generate.dataset import SUMS, Dataset
from synthharm.generate.finish import Numbers as RetouchNumbers
from synthharm.generate.finish import SampleSums
from synthharm.generate.judged import Choice, Judged
from synthharm.generate.rejects import write_rejects
from synthharm.generate.splicing.finishing import read_all
from synthharm.generate.splicing.numbers import Numbers
from synthharm.generate.splicing.stored import items, records
from synthharm.generate.sums_check import wrong_sums
from synthharm.recipe import SplicingRecipe
from synthharm.writers import FolderWriter, Record
from synthharm.writers.checksums import Checksums
from synthharm.writers.forensics import (
    TABLE,
    About,
    SplicingRecord,
    export,
    find_format,
    folder_place,
    metadata_table,
)
from synthharm.writers.forensics.overview import Adding
from synthharm.writers.sorting import Sorter

PHOTOS, SHARD = 2000, 1000
FIRST = 40  # samples that each step is run on before, so that the system has in memory what is imported
FORK = multiprocessing.get_context("fork")  # which starts at once: all is imported already
ROLES = {"image": "images", "mask": "masks", "alpha": "alphas", "boundary": "boundaries", "regions": "regions"}
MASK = "runs of a region's outline, " * 60  # a record holds its regions' masks
VERSIONS = {"synthharm": "0", "torch": "2", "numpy": "2", "numba": "0", "pillow": "11", "pycocotools": "2"}


def splicing_record(sample: int, folder: Path | None = None) -> SplicingRecord:
    """A splice of two photos; its files are written where a folder is given."""
    target = sample % PHOTOS
    photos = [photo(target), photo((target + 7 * (sample % 3)) % PHOTOS // 20 * 20 + target % 20)]
    files = {role: described(f"{place}/{sample:06d}.{'jpg' if role == 'image' else 'png'}", sample, folder)
             for role, place in ROLES.items()}  # fmt: skip
    region = {
        "id": 1,
        "category": "dog",
        "photo": 1,
        "region": "4",
        "area": 900,
        "share": 0.1,
        "box": [0, 0, 30, 30],
    }
    paste = {"photo": 1, "id": "4", "mask": MASK, "category": "dog"}
    return SplicingRecord(
        sample=sample, kind="splice" if sample % 3 else "authentic", split="train" if target % 20 < 15 else "test",
        seed=5, unit={"number": sample, "attempt": 0, "type": "single", "history": "as composed"} | dict.fromkeys(
            ("role", "factor", "value")),
        photos=photos,
        edits=[{"edit": "paste", "region": paste, "blending": "alpha", "colour": {"mode": "as_is"}}],
        history=[{"step": "jpeg", "quality": 60 + sample % 40, "tables": None, "subsampling": "4:2:0"}],
        regions=[region],
        image={"width": 640, "height": 480, "area": 900, "share": sample % 997 / 997, "boundary": 2.0},
        measured={"foreground_mse": sample * 7919 % 9973 / 3, "changed": 1.0, "outside": 0.0, "share": 0.1},
        licence={"name": "CC BY 2.0", "attribution": ["a: b"]}, files=files, versions=VERSIONS,
    )  # fmt: skip


def retouch_record(sample: int) -> Record:
    """A retouched photo."""
    source = photo(sample % PHOTOS)
    files = {"image": described(f"images/{sample:06d}.png", sample),
             "mask": described(f"masks/{sample:06d}.png", sample),
             "real": described(f"reals/{sample % PHOTOS:06d}.png", sample % PHOTOS)}  # fmt: skip
    region = {"id": "4", "mask": MASK, "category": "dog", "area": 900, "share": 0.1, "box": [0, 0, 30, 30],
              "soft": False, "feather": 0}  # fmt: skip
    names = ("recoverable", "foreground_mse", "recovery_psnr", "recovery_mse")
    measured = dict.fromkeys(names, sample * 7919 % 9973 / 3)
    return Record(
        sample=sample, kind="retouch", split="train", seed=5, source=source, region=region,
        chain={"filters": ["brightness"], "statistics": "whole"}, arguments={"brightness": 0.1},
        draw={"mode": "uniform", "attempts": 1, "kept": 1.0, "wanted_mse": None, "computed": "compiled"},
        measured=measured, encoder={"format": "png"}, files=files, versions=VERSIONS,
    )  # fmt: skip


def photo(number: int) -> dict[str, Any]:
    """A photo as records describe it."""
    owner = {"licence": "Attribution", "attribution": "somebody at some address on the web"}
    size = {"width": 640, "height": 480}
    return {"photo": f"images/{number:012d}.jpg", "sha256": sha256(b"photo %d" % number)} | size | owner


def described(path: str, number: int, folder: Path | None = None) -> dict[str, Any]:
    """A file as records describe it."""
    data = f"{path} {number} ".encode() * 40
    if folder is not None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return {"path": path, "sha256": sha256(data), "bytes": len(data)}


def prepare(folder: Path, count: int, make: Callable[[int], Any]) -> None:
    """Write a dataset's records and rejects in a process of its own, so that none inherits what that leaves."""
    process = FORK.Process(target=make_dataset, args=(folder, count, make))
    process.start()
    process.join()


def make_dataset(folder: Path, count: int, make: Callable[[int], Any]) -> None:
    """Write a dataset's records and rejects."""
    dataset = Dataset(folder)
    dataset.records_file(0).parent.mkdir(parents=True)
    dataset.rejects_file(0).parent.mkdir(parents=True)
    for shard in range(-(-count // SHARD)):
        numbers = range(shard * SHARD, min((shard + 1) * SHARD, count))
        dataset.records_file(shard).write_text("".join(f"{make(number).to_json()}\n" for number in numbers))
        reject = {"name": "images/{}.jpg", "reason": "unchanged", "detail": "no level differs"}
        lines = (json.dumps(reject | {"name": f"images/{n * 7919 % 10**6}.jpg"}) for n in numbers)
        dataset.rejects_file(shard).write_text("".join(f"{line}\n" for line in lines))


def recipe() -> SplicingRecipe:
    """A recipe with the keys that finishing reads."""
    fields: dict[str, Any] = {"name": "benchmark", "data": ".", "source": {"format": "coco"}, "samples": 1}
    fields |= {"history": [{"name": "as composed", "share": 1}], "split": {"train": 0.7, "test": 0.3}}
    return SplicingRecipe.model_validate(fields | {"kinds": {"authentic": 0.4, "splice": 0.6}})


def certificate(dataset: Dataset, used: Used) -> None:
    """Join the photos, and write the certificate."""
    hashes = {name: (int(name[:16], 16), int(name[16:32], 16)) for name in used.numbers}
    write_certificate(dataset.folder / "certificate.json", lambda: records(dataset), hashes, 2, used)


def each(dataset: Dataset) -> Iterator[SplicingRecord]:
    """The records of a splicing dataset."""
    return records(dataset)


def read_only(dataset: Dataset) -> None:
    """Read all records."""
    for _ in each(dataset):
        pass


def table(dataset: Dataset) -> None:
    """Write the table of all samples."""
    with metadata_table(dataset.folder / TABLE, folder_place) as add:
        for record in each(dataset):
            add(record)


def sums(dataset: Dataset) -> None:
    """Write the checksums that the records have."""
    with Sorter(dataset.work) as rows:
        found = Checksums(rows)
        for record in each(dataset):
            for file in record.files.values():
                found.note(file["path"], file["sha256"])
        with atomic_file(dataset.folder / SUMS) as file:
            found.write(file)


def numbers(dataset: Dataset) -> None:
    """Add up the dataset's numbers."""
    found = Numbers(recipe(), dataset.work)
    for record in each(dataset):
        found.add(record)
    found.shares.as_json(), found.errors.as_json()


def joined(dataset: Dataset) -> None:
    """Join photos and write the certificate."""
    certificate(dataset, Used.of(lambda: each(dataset)))


def choose(dataset: Dataset) -> None:
    """Choose what is audited."""
    choice = Choice()
    for record in each(dataset):
        choice.add(Judged.of(record))
    choice.chosen()


def card(dataset: Dataset) -> None:
    """Add up what the card says."""
    adding = Adding()
    for item in items(dataset)():
        adding.add(item)
    _ = adding.numbers().shares.median


def everything(dataset: Dataset) -> None:
    """All of those in one pass, as finishing does."""
    with Sorter(dataset.work) as rows:
        found = Checksums(rows)
        read = read_all(dataset, Numbers(recipe(), dataset.work), found)
        certificate(dataset, read.used)
        with atomic_file(dataset.folder / SUMS) as file:
            found.write(file)


def rejects(dataset: Dataset) -> None:
    """Gather the rejects: one a sample here, where a run has far fewer."""
    write_rejects(dataset, [], len(list(dataset.records_file(0).parent.iterdir())))


def retouching(dataset: Dataset) -> None:
    """All of a harmonization dataset: its table, numbers and checksums."""
    with Sorter(dataset.work) as rows, Sorter(dataset.work) as shared:
        found, samples = RetouchNumbers(dataset.work), SampleSums(rows, shared)

        def watched() -> Iterator[Record]:
            for record in dataset.records():
                found.add(record)
                samples.add(record)
                yield record

        FolderWriter().finish(dataset.folder, watched)
        with atomic_file(dataset.folder / SUMS) as file:
            samples.write(file)


def exported(dataset: Dataset) -> None:
    """Write a format of folders, without its card's pictures."""
    about = About("benchmark", ("train", "test"), {"name": "benchmark"}, {})
    output = dataset.folder / "formats" / "imagefolder"
    export(find_format("imagefolder", output), items(dataset), output, about, pictures=False)


def compared(dataset: Dataset) -> None:
    """Compare that format with its checksums."""
    folder = dataset.folder / "formats" / "imagefolder"
    assert not list(wrong_sums(folder, SUMS, ()))


SPLICING = {
    "read records": read_only, "metadata table": table, "numbers": numbers, "certificate": joined,
    "choose what is audited": choose, "card": card, "checksums": sums, "all of these in one pass": everything,
    "rejects": rejects,
}  # fmt: skip
WITH_FILES = {"export": exported, "check sums": compared}
FIGURES = ("microseconds", "seconds_fixed", "bytes_a_sample")


def run(step: Callable[[Dataset], None], folder: Path, answer: Any) -> None:
    """Run a step in a process of its own, and send its seconds and by how many bytes memory grew."""
    before = peak_memory()
    start = process_time()
    step(Dataset(folder))
    seconds = process_time() - start
    answer.send((seconds, peak_memory() - before))


def measure(step: Callable[[Dataset], None], folder: Path) -> tuple[float, float]:
    """Seconds and bytes of a step."""
    here, there = FORK.Pipe(duplex=False)
    process = FORK.Process(target=run, args=(step, folder, there))
    process.start()
    there.close()
    found: tuple[float, float] = here.recv()
    process.join()
    return found


def main() -> None:
    """Measure every step for each number of samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs=2, default=[150_000, 450_000], metavar=("FEW", "MANY"))
    parser.add_argument("--with-files", type=int, nargs=2, default=[4000, 12_000], metavar=("FEW", "MANY"))
    parser.add_argument("--output", type=Path, default=RESULTS / "finishing.json")
    options = parser.parse_args()
    for few, many in (options.samples, options.with_files):
        if not FIRST < few < many:
            parser.error(f"numbers of samples are {few} and {many}; accepted are a larger one after a smaller")
    rows: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "dataset")
        measure_all(rows, SPLICING, splicing_record, folder, options.samples)
        measure_all(rows, {"harmonization: all": retouching}, retouch_record, folder, options.samples)
        measure_all(rows, WITH_FILES, lambda sample: splicing_record(sample, folder), folder, options.with_files)
    for step in WITH_FILES:
        del rows[step]["bytes_a_sample"]
    lines = [[step, *(row.get(figure, "") for figure in FIGURES)] for step, row in rows.items()]
    print_table(["step", "microseconds a sample", "seconds fixed", "bytes a sample"], lines)
    made = {"samples": options.samples, "samples_with_files": options.with_files, "photos": PHOTOS}
    write_result(options.output, {**made, "steps": rows})


def measure_all(
    rows: dict[str, dict[str, float]],
    steps: dict[str, Callable[[Dataset], None]],
    make: Callable[[int], Any],
    folder: Path,
    counts: tuple[int, int],
) -> None:
    """Measure steps on a dataset of few samples and on one of many, and note what of it is by sample."""
    for count in (FIRST, *counts):
        prepare(folder, count, make)
        for step, call in steps.items():
            seconds, size = measure(call, folder)
            if count != FIRST:
                rows.setdefault(step, {}).update({f"seconds_{count}": seconds, f"bytes_{count}": size})
        shutil.rmtree(folder)
    few, many = counts
    for row in (rows[step] for step in steps):
        each = (row[f"seconds_{many}"] - row[f"seconds_{few}"]) / (many - few)
        row["microseconds"] = round(each * 1e6, 1)
        row["seconds_fixed"] = round(row[f"seconds_{few}"] - each * few, 3)
        row["bytes_a_sample"] = round((row[f"bytes_{many}"] - row[f"bytes_{few}"]) / (many - few), 1)
        row |= {f"seconds_{count}": round(row[f"seconds_{count}"], 2) for count in counts}


if __name__ == "__main__":
    main()
