"""The filters by name. A file in `whitebox/` that defines `FILTER` is all that a new one takes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from synthharm.filters import whitebox
from synthharm.filters.filter import Filter


def _find_filters() -> dict[str, Filter]:
    found: dict[str, Filter] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(whitebox.__path__)):
        filter_ = importlib.import_module(f"{whitebox.__name__}.{module}").FILTER
        if filter_.name in found:
            raise ValueError(f"two files in synthharm/filters/whitebox define the filter {filter_.name!r}")
        found[filter_.name] = filter_
    return found


FILTERS: Mapping[str, Filter] = MappingProxyType(_find_filters())

PAPER = ("temperature", "brightness", "contrast", "saturation", "highlight", "shadow")


def find_filter(name: str) -> Filter:
    """The filter of that name.

    Raises:
        ValueError: no such filter; the message names the nearest and all that there are.

    Example:
        >>> find_filter("shadow").parameters[0].span
        0.4
        >>> find_filter("shadows")
        Traceback (most recent call last):
        ValueError: no filter is called 'shadows' (did you mean 'shadow'?); there are brightness, contrast, ...
    """
    if name == "lut" or name.endswith(".cube"):
        raise ValueError(
            f"{name!r} is a table of colours, which has no inverse and no name here: it can be applied, by "
            f"synthharm.filters.lut_filter, and not undone; there are {', '.join(FILTERS)}"
        )
    if name not in FILTERS:
        near = get_close_matches(name, FILTERS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"no filter is called {name!r}{hint}; there are {', '.join(FILTERS)}")
    return FILTERS[name]
