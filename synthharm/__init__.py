"""Datasets of composites whose true answer is known to the last argument.

Offered here are `FilterChain` and `RandomComposite`; the rest by its room, such as `synthharm.generate.generate`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthharm.composites import RandomComposite
    from synthharm.filters import FilterChain

__version__ = "0.1.0"

__all__ = ["FilterChain", "RandomComposite", "__version__"]

# Rooms by what they offer here. Each is entered when first asked for: torch takes a second to import.
_ROOMS = {"FilterChain": "filters", "RandomComposite": "composites"}


if not TYPE_CHECKING:  # which would take any name for one that is offered

    def __getattr__(name: str) -> Any:
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
