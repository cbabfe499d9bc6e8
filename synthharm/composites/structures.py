"""Finding an image and its mask in a nested structure, and putting a composite in the image's place."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]

ADDED = ("real", "arguments", "recoverable")


def find_pair(structure: Any) -> tuple[Path, Path]:
    """The paths of the one `tv_tensors.Image` and the one `tv_tensors.Mask` in dicts, lists and tuples.

    Raises:
        ValueError: none or several of either.
    """
    # Who holds one has imported them, so that nothing need be imported here.
    tv_tensors = sys.modules.get("torchvision.tv_tensors")
    found: list[tuple[Path, Any]] = list(leaves(structure)) if tv_tensors else []
    images = [path for path, leaf in found if isinstance(leaf, tv_tensors.Image)] if tv_tensors else []
    masks = [path for path, leaf in found if isinstance(leaf, tv_tensors.Mask)] if tv_tensors else []
    if len(images) != 1 or len(masks) != 1:
        raise ValueError(
            f"the structure, a {type(structure).__name__}, holds {len(images)} tv_tensors.Image and {len(masks)} "
            "tv_tensors.Mask; exactly one of each is accepted (arrays and other tensors go by name or as a pair: "
            "transform(image=..., mask=...), transform(image, mask))"
        )
    return images[0], masks[0]


def leaves(structure: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """What is neither dict, list nor tuple, and the keys and indices that lead there.

    Example:
        >>> list(leaves({"a": [1, 2], "b": 3}))
        [(('a', 0), 1), (('a', 1), 2), (('b',), 3)]
    """
    if isinstance(structure, dict):
        for key, value in structure.items():
            yield from leaves(value, (*path, key))
    elif isinstance(structure, (list, tuple)):
        for number, value in enumerate(structure):
            yield from leaves(value, (*path, number))
    else:
        yield path, structure


def leaf_at(structure: Any, path: Path) -> Any:
    """What lies at a path."""
    for key in path:
        structure = structure[key]
    return structure


def put(structure: Any, path: Path, leaf: Any) -> Any:
    """The structure with another leaf at a path. Only the containers on the way to it are copied.

    Example:
        >>> put({"a": [1, 2], "b": 3}, ("a", 1), "new")
        {'a': [1, 'new'], 'b': 3}
    """
    if not path:
        return leaf
    first, inner = path[0], put(structure[path[0]], path[1:], leaf)
    if isinstance(structure, tuple):
        items = [inner if number == first else item for number, item in enumerate(structure)]
        return structure._make(items) if hasattr(structure, "_make") else tuple(items)
    copied = copy.copy(structure)
    copied[first] = inner
    return copied


def add(structure: Any, truth: tuple[Any, Any, Any]) -> Any:
    """The structure with three more entries, named as `ADDED`: keys of a dict, last items of a list or tuple.

    A named tuple has no room: it becomes the first item of a tuple of four.

    Raises:
        ValueError: a dict that has one of the keys.

    Example:
        >>> add((1, 2), ("r", "a", "c")), add({"image": 1}, ("r", "a", "c"))
        ((1, 2, 'r', 'a', 'c'), {'image': 1, 'real': 'r', 'arguments': 'a', 'recoverable': 'c'})
    """
    if isinstance(structure, dict):
        check_room(structure)
        added = copy.copy(structure)
        added.update(zip(ADDED, truth, strict=True))
        return added
    if isinstance(structure, list):
        return [*structure, *truth]
    if hasattr(structure, "_make"):
        return (structure, *truth)
    return (*structure, *truth)


def check_room(structure: dict[Any, Any]) -> None:
    """Refuse a dict that has a key which is to be added."""
    if taken := [key for key in ADDED if key in structure]:
        raise ValueError(f"there is an entry {taken[0]!r} already; {', '.join(ADDED)} are added")
