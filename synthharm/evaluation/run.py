"""The evaluation run: every pair under every protocol by every method, and its folder of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from synthharm.composites.encoding import encode_png
from synthharm.errors import SynthharmError, Unusable
from synthharm.evaluation.methods import Composite, Lifted, Method, Network, Oracle
from synthharm.evaluation.pairs import Pair, Pairs
from synthharm.evaluation.perceptual import Distance, why_no_lpips
from synthharm.evaluation.progress import progress_bar
from synthharm.evaluation.protocols import Protocol, Result, measure_result, run_method
from synthharm.evaluation.realism import colour_distance, from_neutral, parameter
from synthharm.evaluation.summary import Argument, Evaluation, Scored, size_name, summarize
from synthharm.evaluation.worst import worst_cases, worst_sheet
from synthharm.evaluation.writing import check_output, library_versions, write_evaluation
from synthharm.filters import FilterChain
from synthharm.masks import THRESHOLD
from synthharm.sources import Reject

SHEET_COMPRESSION = 9  # a sheet is made once, and kept
NOT_ASKED = "LPIPS is not measured: it was not asked for."


def evaluate(
    pairs: Pairs,
    methods: Sequence[Method],
    protocols: Sequence[Protocol],
    output: str | Path,
    *,
    perceptual: Distance | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Score methods on pairs, and write what comes of it.

    The composite itself is always scored, and methods in their order after it. An `Oracle` runs on pairs whose
    arguments are known for its chain, and `Lifted` methods at full size. A pair that cannot be used, or not by one
    of the methods, is listed, and the run goes on. Of pairs without a real image it is measured how far the
    region's colours are from the background's, and the arguments from neutral. Predicted arguments are compared
    with the true ones where both are of the same filters and statistics.

    The folder has per_image.csv (all figures of every image), table.csv and tables.md (means by subset, by the
    foreground's share and by the composite's fMSE, and errors of arguments), plots/, worst.png, and results.json,
    which is written last.

    Args:
        pairs: what is scored.
        methods: what scores; the plots and the worst cases are of the first `Network`, or else of the last method.
        protocols: at their sizes.
        output: the folder: new, empty, or of an earlier evaluation, which is replaced.
        perceptual: for LPIPS (see `lpips_measure`); None where it is not measured.
        settings: what the caller wants written down, as plain JSON.

    Raises:
        SynthharmError: another folder, a method whose prediction is not finite (it names pair and method), or no
            pair that can be used.
        ValueError: two methods of one name, or no or equal protocols.
    """
    folder = Path(output)
    check_output(folder)
    chosen = [Composite(), *(method for method in methods if not isinstance(method, Composite))]
    _check(chosen, protocols)
    versions = library_versions() | dict(perceptual.versions if perceptual is not None else {})
    scored, rejects = _score(pairs, chosen, protocols, perceptual)
    subject = next((method for method in chosen if isinstance(method, Network)), chosen[-1])
    evaluation = Evaluation(
        scored=tuple(scored),
        rejects=tuple(rejects),
        lines=tuple(summarize(scored)),
        methods=tuple(method.name for method in chosen),
        subject=subject.name,
        described={(one.name, size_name(one.size)): one.described for one in protocols},
        without_real={(one.name, size_name(one.size)): one.described_without_real for one in protocols},
        lpips=perceptual.described if perceptual is not None else why_no_lpips() or NOT_ASKED,
        pairs=len(pairs),
        settings=dict(settings or {}),
        versions=versions,
    )
    write_evaluation(evaluation, folder, lambda: _sheet(pairs, scored, subject, protocols))
    return evaluation


def _score(
    pairs: Pairs, methods: Sequence[Method], protocols: Sequence[Protocol], perceptual: Distance | None
) -> tuple[list[Scored], list[Reject]]:
    """The figures of all pairs, and what could not be used."""
    scored: list[Scored] = []
    rejects: list[Reject] = []
    with progress_bar(len(pairs), 0, "pairs") as advance:
        for place in range(len(pairs)):
            try:
                pair = pairs[place]
            except Unusable as error:
                rejects.append(_reject(pairs.names[place], error))
            else:
                for protocol in protocols:
                    scored += _Scoring(pair, protocol, perceptual, rejects).rows(methods)
            advance(1)
    if not scored:
        listed = "".join(f"\n  {one.name}: {one.reason}: {one.detail}" for one in rejects[:5])
        raise SynthharmError(f"{pairs.root}: none of {len(pairs)} pairs can be used; among others:{listed}")
    return scored, rejects


def _check(methods: Sequence[Method], protocols: Sequence[Protocol]) -> None:
    names = [method.name for method in methods]
    if len(set(names)) < len(names):
        raise ValueError(f"methods are {', '.join(names)}; different names are accepted")
    if not protocols or len(set(protocols)) < len(protocols):
        given = ", ".join(f"{one.name} at {size_name(one.size)}" for one in protocols)
        raise ValueError(f"protocols are {given or 'none'}; different ones are accepted, at least one")


def _reject(name: str, error: Unusable, where: str = "") -> Reject:
    """What `Unusable` says, under the pair's name; the file or method that it names goes into the detail."""
    found = error.detail if error.name == name else f"{error.name}: {error.detail}"
    return Reject(name, error.reason, f"{where}{found}")


def _sheet(pairs: Pairs, scored: Sequence[Scored], method: Method, protocols: Sequence[Protocol]) -> bytes | None:
    """The worst cases under the first protocol that there are figures for, as a PNG."""
    for protocol in protocols:
        where = (protocol.name, size_name(protocol.size))
        cases = worst_cases([row for row in scored if (row.protocol, row.size) == where], method.name)
        if cases:
            return encode_png(worst_sheet(pairs, cases, method, protocol), SHEET_COMPRESSION)
    return None


@dataclass(frozen=True)
class _Scoring:
    """Scoring one pair under one protocol; what cannot be used is added to `rejects`."""

    pair: Pair
    protocol: Protocol
    perceptual: Distance | None
    rejects: list[Reject] = field(repr=False)

    def rows(self, methods: Sequence[Method]) -> Iterator[Scored]:
        """The figures of all methods that run here, the composite's first; none where that cannot be scored."""
        before: Result | None = None
        composite: float | None = None
        for method in methods:
            if not self._runs(method):
                continue
            found = self._attempt(method, before)
            if found is not None:
                result, figures = found
                if before is None:
                    before, composite = result, figures.get("fmse")
                yield self._row(method, result, figures, composite)
            elif before is None:
                return

    def _runs(self, method: Method) -> bool:
        if isinstance(method, Oracle):
            return self.pair.chain is not None and not _difference(method.chain, self.pair.chain)
        return not isinstance(method, Lifted) or self.protocol.size is None

    def _attempt(self, method: Method, before: Result | None) -> tuple[Result, dict[str, float]] | None:
        """What a method makes of the pair, and its figures; None where that is no error of the method's."""
        pair = self.pair
        try:
            result = run_method(self.protocol, method, pair.composite, pair.mask, pair.arguments)
            return result, self._figures(result, before or result)
        except Unusable as error:
            self._refuse(error)
        except (ValueError, SynthharmError) as error:
            if not isinstance(method, Composite):
                raise SynthharmError(f"{pair.name}: {method.name}: {error}") from error
            # Nothing was predicted: it is the images that cannot be measured.
            self._refuse(Unusable(pair.name, "not scored", str(error)))
        return None

    def _refuse(self, error: Unusable) -> None:
        where = f"{self.protocol.name} at {size_name(self.protocol.size)}: "
        self.rejects.append(_reject(self.pair.name, error, where))

    def _figures(self, result: Result, before: Result) -> dict[str, float]:
        """Measures, or without a real image how alike colours are, beside those of the composite."""
        if self.pair.real is not None:
            measures = measure_result(self.protocol, result, self.pair.real, self.perceptual)
            return {name: value for name, value in asdict(measures).items() if value is not None}
        found: dict[str, float] = {}
        for when, output in (("before", before.output), ("after", result.output)):
            found[f"mean_{when}"], found[f"deviation_{when}"] = colour_distance(output.image, result.mask)
        if result.output.arguments is not None:
            found["from_neutral"] = from_neutral(result.output.arguments)
        return found

    def _row(
        self, method: Method, result: Result, figures: Mapping[str, float], composite: float | None
    ) -> Scored:
        pair, predicted = self.pair, result.output.arguments or {}
        true = pair.arguments or {}
        uncompared = _difference(result.output.chain, pair.chain) if predicted and true else ""
        compared = {} if uncompared or not predicted else true
        return Scored(
            name=pair.name,
            subset=pair.subset,
            protocol=self.protocol.name,
            size=size_name(self.protocol.size),
            method=method.name,
            foreground=float(np.mean(pair.mask >= THRESHOLD)),
            composite_fmse=composite,
            measures={} if pair.real is None else figures,
            realism=figures if pair.real is None else {},
            predicted=predicted,
            arguments={c: Argument(predicted[c], compared[c], parameter(c).neutral) for c in compared},
            uncompared=uncompared,
        )


def _difference(own: FilterChain | None, true: FilterChain | None) -> str:
    """Why a method's arguments do not mean what the pair's do; "" where they do."""
    if own is None or true is None:
        return "it is not known which chain the method's are of"
    filters, wanted = (", ".join(one.name for one in chain.filters) for chain in (own, true))
    if filters != wanted:
        return f"the method's filters are {filters}, those of the data {wanted}"
    if own.statistics != true.statistics:
        return f"the method's means are over the {own.statistics}, those of the data over the {true.statistics}"
    return ""
