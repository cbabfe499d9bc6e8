"""The evaluation run: every pair under every protocol by every method, and its folder of results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from synthharm.composites.encoding import encode_png
from synthharm.errors import SynthharmError, Unusable
from synthharm.evaluation.methods import Composite, Lifted, Method, Network, Oracle, Output, resize
from synthharm.evaluation.pairs import Pair, Pairs
from synthharm.evaluation.perceptual import why_no_lpips
from synthharm.evaluation.protocols import Protocol, score
from synthharm.evaluation.realism import colour_distance, from_neutral, parameter
from synthharm.evaluation.summary import Argument, Evaluation, Scored, size_name, summarize
from synthharm.evaluation.worst import worst_cases, worst_sheet
from synthharm.evaluation.writing import check_output, write_evaluation
from synthharm.generate.progress import progress_bar
from synthharm.masks import THRESHOLD, binarize
from synthharm.metrics import Measures, Perceptual
from synthharm.sources import Reject

SHEET_COMPRESSION = 9  # a sheet is made once, and kept
MEASURED = "LPIPS is measured with AlexNet (version 0.1)."
NOT_ASKED = "LPIPS is not measured: it was not asked for."


def evaluate(
    pairs: Pairs,
    methods: Sequence[Method],
    protocols: Sequence[Protocol],
    output: str | Path,
    *,
    perceptual: Perceptual | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Score methods on pairs, and write what comes of it.

    The composite itself is always scored, and methods in their order after it. An `Oracle` runs on pairs whose
    arguments are known for its chain, and `Lifted` methods at full size. A pair that cannot be used, or not by one
    of the methods, is listed, and the run goes on. Of pairs without a real image it is measured how far the
    region's colours are from the background's, and the arguments from neutral.

    The folder has per_image.csv (all figures of every image), table.csv and tables.md (means by subset, by the
    foreground's share and by the composite's fMSE, and errors of arguments), plots/, worst.png, and results.json,
    which is written last.

    Args:
        pairs: what is scored.
        methods: what scores; the plots and the worst cases are of the first `Network`, or else of the last method.
        protocols: at their sizes.
        output: the folder: new, empty, or of an earlier evaluation, which is replaced.
        perceptual: for LPIPS; None where it is not measured.
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
    scored: list[Scored] = []
    rejects: list[Reject] = []
    with progress_bar(len(pairs), 0) as advance:
        for place in range(len(pairs)):
            try:
                pair = pairs[place]
            except Unusable as error:
                rejects.append(_reject(pairs.names[place], error))
            else:
                for protocol in protocols:
                    scored += _Scoring(pair, protocol, perceptual, rejects).rows(chosen)
            advance(1)
    if not scored:
        listed = "".join(f"\n  {one.name}: {one.reason}: {one.detail}" for one in rejects[:5])
        raise SynthharmError(f"{pairs.root}: none of {len(pairs)} pairs can be used; among others:{listed}")
    subject = next((method for method in chosen if isinstance(method, Network)), chosen[-1])
    evaluation = Evaluation(
        scored=tuple(scored),
        rejects=tuple(rejects),
        lines=tuple(summarize(scored)),
        methods=tuple(method.name for method in chosen),
        subject=subject.name,
        described={(one.name, size_name(one.size)): one.described for one in protocols},
        lpips=MEASURED if perceptual is not None else why_no_lpips() or NOT_ASKED,
        pairs=len(pairs),
        settings=dict(settings or {}),
    )
    write_evaluation(evaluation, folder, _sheet(pairs, scored, subject, protocols))
    return evaluation


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
    perceptual: Perceptual | None
    rejects: list[Reject] = field(repr=False)

    def rows(self, methods: Sequence[Method]) -> Iterator[Scored]:
        """The figures of all methods that run here, the composite's first; none where that cannot be scored."""
        composite = self._attempt(methods[0])
        if composite is None:
            return
        measures, before = composite
        known = None if measures is None else measures.fmse
        if measures is None:
            try:
                self._realism(before, before)
            except ValueError as error:  # there is no background to compare with
                self._refuse(Unusable(self.pair.name, "not scored", str(error)))
                return
        yield self._row(methods[0], measures, before, before, known)
        for method in methods[1:]:
            if self._runs(method) and (found := self._attempt(method)) is not None:
                yield self._row(method, *found, before, known)

    def _runs(self, method: Method) -> bool:
        if isinstance(method, Oracle):
            return self.pair.arguments is not None and self.pair.chain == method.chain
        return not isinstance(method, Lifted) or self.protocol.size is None

    def _attempt(self, method: Method) -> tuple[Measures | None, Output] | None:
        pair = self.pair
        real = pair.composite if pair.real is None else pair.real  # without one only the output is of use
        perceptual = None if pair.real is None else self.perceptual
        try:
            measures, output = score(
                self.protocol, method, pair.composite, pair.mask, real, perceptual, pair.arguments
            )
        except Unusable as error:
            self._refuse(error)
            return None
        except ValueError as error:
            if isinstance(method, Composite):  # nothing was predicted: it is the images that cannot be measured
                self._refuse(Unusable(pair.name, "not scored", str(error)))
                return None
            raise SynthharmError(f"{pair.name}: {method.name}: {_why(method, pair) or error}") from error
        return (None if pair.real is None else measures), output

    def _refuse(self, error: Unusable) -> None:
        where = f"{self.protocol.name} at {size_name(self.protocol.size)}: "
        self.rejects.append(_reject(self.pair.name, error, where))

    def _row(
        self, method: Method, measures: Measures | None, output: Output, before: Output, composite: float | None
    ) -> Scored:
        pair, predicted = self.pair, output.arguments or {}
        true = pair.arguments or {}
        arguments = {}
        if set(predicted) == set(true):
            arguments = {c: Argument(predicted[c], true[c], parameter(c).neutral) for c in true}
        figures = {} if measures is None else {n: v for n, v in asdict(measures).items() if v is not None}
        return Scored(
            name=pair.name,
            subset=pair.subset,
            protocol=self.protocol.name,
            size=size_name(self.protocol.size),
            method=method.name,
            foreground=float(np.mean(pair.mask >= THRESHOLD)),
            composite_fmse=composite,
            measures=figures,
            realism=self._realism(before, output) if measures is None else {},
            predicted=predicted,
            arguments=arguments,
        )

    def _realism(self, before: Output, after: Output) -> dict[str, float]:
        size = before.image.shape[:2]
        mask = self.pair.mask if self.pair.mask.shape == size else binarize(resize(self.pair.mask, size))
        found: dict[str, float] = {}
        for when, output in (("before", before), ("after", after)):
            found[f"mean_{when}"], found[f"deviation_{when}"] = colour_distance(output.image, mask)
        if after.arguments is not None:
            found["from_neutral"] = from_neutral(after.arguments)
        return found


def _why(method: Method, pair: Pair) -> str:
    """That a method's prediction is not finite, where that is why it cannot be scored; else nothing."""
    try:
        output = method.run(pair.composite, pair.mask, pair.arguments)
    except (ValueError, Unusable):
        return ""
    wrong = [f"{name} is {value}" for name, value in (output.arguments or {}).items() if not math.isfinite(value)]
    if not wrong and not np.isfinite(output.image).all():
        wrong = ["its image has values that are not numbers"]
    return f"the prediction is not finite: {', '.join(wrong)}" if wrong else ""
