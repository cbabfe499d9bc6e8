"""The command that scores a harmonizer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synthharm.cli.ending import fail
from synthharm.errors import SynthharmError

if TYPE_CHECKING:
    from synthharm.evaluation.methods import Method, Network
    from synthharm.evaluation.pairs import Pairs
    from synthharm.evaluation.protocols import Protocol
    from synthharm.evaluation.summary import Evaluation

ALL, DEFAULT = "all", "test"  # what --split takes beside a name, and is where there are several
WIDTH = 120  # of tables that go into a file
_SIZE = re.compile(r"([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?")


def evaluate(
    checkpoint: Annotated[str, typer.Argument(help="A harmonizer: its folder, or a repository of the hub.")],
    data: Annotated[Path, typer.Option(help="Pairs: a dataset, iHarmony4's layout, or comp, mask and image.")],
    output: Annotated[Path, typer.Option(help="The folder to write: new, empty, or an earlier evaluation's.")],
    split: Annotated[str | None, typer.Option(help="The split to score, or all; test by default.")] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(help="issam (default), harmonizer or ground-truth-background; may be repeated."),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help="256 (default), height x width as in 480x640, or full; may be repeated."),
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Score Reinhard's transfer, histogram matching and the true arguments as well.")
    ] = True,
    pcm: Annotated[
        list[int] | None,
        typer.Option(help="Lift the result at 256 to full size by a polynomial of order 2 or 3; may be repeated."),
    ] = None,
    device: Annotated[str, typer.Option(help="Where the network runs: cpu, cuda, auto, ...")] = "auto",
    limit: Annotated[int | None, typer.Option(help="Only so many pairs, evenly spread.")] = None,
) -> None:
    """Score a harmonizer on pairs of composites and real images, beside methods that need no training."""
    from synthharm.evaluation.methods import Network
    from synthharm.evaluation.perceptual import lpips_measure
    from synthharm.evaluation.run import evaluate as run
    from synthharm.harmonizer import Harmonizer
    from synthharm.harmonizer.devices import find_device

    try:
        protocols = _protocols(protocol or ["issam"], size or ["256"])
        orders = _orders(pcm or [], protocols)
        pairs, chosen = _pairs(data, split, limit)
        place = str(find_device(device))
        network = Network(Harmonizer.from_pretrained(checkpoint), place)
        methods = _methods(network, pairs, baselines, orders)
        settings = {
            "checkpoint": _name(checkpoint),
            "data": data.resolve().name,
            "split": chosen,
            "device": place,
            "limit": limit,
        }
        found = run(pairs, methods, protocols, output, perceptual=lpips_measure(place), settings=settings)
    except (SynthharmError, OSError) as error:
        fail(error)
    _show(found, output)


def _pairs(data: Path, split: str | None, limit: int | None) -> tuple[Pairs, str | None]:
    """The pairs to score, and the split that they are of: without one given test, where there are several."""
    from synthharm.evaluation.pairs import open_pairs

    if limit is not None and limit < 1:
        raise SynthharmError(f"--limit: is {limit}; 1 or more is accepted")
    chosen = None if split == ALL else split
    pairs = open_pairs(data, chosen)
    if split is None and len(pairs.splits) > 1:
        if DEFAULT not in pairs.splits:
            raise SynthharmError(f"--split: is missing; {', '.join(pairs.splits)} or {ALL} is accepted")
        typer.echo(f"scoring the split {DEFAULT} of {', '.join(pairs.splits)}", err=True)
        pairs, chosen = open_pairs(data, DEFAULT), DEFAULT
    return pairs if limit is None else pairs.spread(limit), chosen


def _protocols(names: list[str], sizes: list[str]) -> list[Protocol]:
    from synthharm.evaluation.protocols import PROTOCOLS

    found: list[tuple[int, int] | None] = []
    for text in dict.fromkeys(sizes):
        match = _SIZE.fullmatch(text)
        if match is None and text != "full":
            raise SynthharmError(f"--size: is {text!r}; 256, 480x640 (height x width) or full is accepted")
        found.append((int(match[1]), int(match[2] or match[1])) if match else None)
    if unknown := [name for name in names if name not in PROTOCOLS]:
        raise SynthharmError(f"--protocol: is {unknown[0]!r}; {', '.join(PROTOCOLS)} are accepted")
    every = [PROTOCOLS[name].at(one) for name in names for one in found]
    return list(dict.fromkeys(every))


def _orders(orders: list[int], protocols: list[Protocol]) -> list[int]:
    if wrong := [order for order in orders if order not in (2, 3)]:
        raise SynthharmError(f"--pcm: is {wrong[0]}; 2 and 3 are accepted")
    if orders and all(protocol.size is not None for protocol in protocols):
        raise SynthharmError("--pcm: lifts to full size, which is not scored; add --size full")
    return sorted(set(orders))


def _methods(network: Network, pairs: Pairs, baselines: bool, orders: list[int]) -> list[Method]:
    from synthharm.evaluation.methods import Histogram, Lifted, Oracle, Reinhard

    methods: list[Method] = []
    if baselines:
        methods += [Reinhard(), Histogram()]
        chains = pairs.chains
        methods += [Oracle(chain, _oracle(place, len(chains))) for place, chain in enumerate(chains)]
    return [*methods, network, *(Lifted(network, order) for order in orders)]


def _oracle(place: int, count: int) -> str:
    return "oracle" if count == 1 else f"oracle {place + 1}"


def _name(checkpoint: str) -> str:
    """The checkpoint as results have it, which no path of this machine is in."""
    path = Path(checkpoint)
    return path.resolve().name if path.is_dir() else checkpoint


def _show(found: Evaluation, output: Path) -> None:
    """Print the tables over all pairs, what must be known of them, and where the rest is."""
    from rich.console import Console
    from rich.table import Table

    from synthharm.evaluation.notes import notes_on, unequal_counts
    from synthharm.evaluation.summary import cells

    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    for protocol, size in found.described:
        lines = found.pooled(protocol, size)
        if not lines:
            continue
        head, rows = cells(lines)
        table = Table(title=f"{protocol}, {'full size' if size == 'full' else size}", title_justify="left")
        for number, name in enumerate(head):
            table.add_column(name, justify="right" if number else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        if unequal := unequal_counts(lines):
            typer.echo(unequal)
    for note in notes_on(found.scored):
        typer.echo(note)
    if found.rejects:
        typer.echo(f"{found.used} of {found.pairs} pairs used; what was rejected is in results.json")
    typer.echo(f"{output}: {', '.join(sorted(path.name for path in output.iterdir()))}")
