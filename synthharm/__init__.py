"""Datasets of composites whose true answer is known to the last argument."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthharm.composites import RandomComposite
    from synthharm.filters import FilterChain
    from synthharm.generate import generate

__version__ = "0.1.0"

__all__ = ["FilterChain", "RandomComposite", "__version__", "generate"]

# Rooms by what they offer here. Each is entered when first asked for: torch takes a second to import.
_ROOMS = {"FilterChain": "filters", "RandomComposite": "composites", "generate": "generate"}


if not TYPE_CHECKING:  # which would take any name for one that is offered

    def __getattr__(name: str) -> Any:
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        room = import_module(f"{__name__}.{_ROOMS[name]}")
        return room if name == _ROOMS[name] else getattr(room, name)


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))


class _GenerateRoom(ModuleType):
    """The room `synthharm.generate`, which can be called like the function that it is named after."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self.generate(*args, **settings)


class _House(ModuleType):
    """This package. Importing a room sets it as an attribute here, and one of them has a function's name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "generate" and isinstance(value, ModuleType):
            value.__class__ = _GenerateRoom
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _House
