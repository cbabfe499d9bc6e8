"""What readers of an evaluation's tables must know, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from synthharm.evaluation.summary import Line, Scored


def notes_on(scored: Sequence[Scored]) -> list[str]:
    """What holds for a whole run: arguments that are not compared, and pairs that have no LPIPS.

    Example:
        >>> rows = [Scored("a", "", "issam", "full", "net", 0.1, uncompared="its filters are others")]
        >>> notes_on(rows)
        ['Arguments of net are not compared with the true ones of 1 pair: its filters are others.']
    """
    return [*_uncompared(scored), *_without_lpips(scored)]


def unequal_counts(lines: Sequence[Line]) -> str:
    """A sentence where the methods of one table are averaged over different pairs; else "".

    Example:
        >>> lines = [Line("issam", "256", "all", "", name, 9 - len(name), {}) for name in ("net", "oracle")]
        >>> print(unequal_counts(lines))
        Not every method has figures for the same pairs: those of oracle (3 of 6 pairs) do not compare with the
        others.
        >>> unequal_counts(lines[:1])
        ''
    """
    groups: dict[str, dict[str, int]] = {}
    for line in lines:
        groups.setdefault(line.group, {})[line.method] = line.pairs
    methods = dict.fromkeys(line.method for line in lines)
    found = {method: [of.get(method, 0) for of in groups.values()] for method in methods}
    # The groups of arguments are not parts of the whole: each is over the same pairs.
    whole = any(line.table == "argument" for line in lines)
    counts = {method: max(numbers) if whole else sum(numbers) for method, numbers in found.items()}
    most = max(counts.values(), default=0)
    fewer = ", ".join(f"{name} ({count} of {_pairs(most)})" for name, count in counts.items() if count < most)
    if not fewer:
        return ""
    return f"Not every method has figures for the same pairs: those of {fewer} do not compare with the others."


def _uncompared(scored: Sequence[Scored]) -> Iterator[str]:
    found: dict[tuple[str, str], set[str]] = {}
    for row in scored:
        if row.uncompared:
            found.setdefault((row.method, row.uncompared), set()).add(row.name)
    for (method, why), names in found.items():
        yield f"Arguments of {method} are not compared with the true ones of {_pairs(len(names))}: {why}."


def _without_lpips(scored: Sequence[Scored]) -> Iterator[str]:
    if not any("lpips" in row.measures for row in scored):
        return
    found: dict[tuple[str, str], set[str]] = {}
    for row in scored:
        if row.measures and "lpips" not in row.measures:
            found.setdefault((row.protocol, row.size), set()).add(row.name)
    for (protocol, size), names in found.items():
        where = f"{protocol}, {'full size' if size == 'full' else size}"
        yield f"{where}: {_pairs(len(names))} without LPIPS; its means are over the others."


def _pairs(count: int) -> str:
    return f"{count} pair{'s' * (count != 1)}"
