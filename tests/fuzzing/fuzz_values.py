"""JSON and YAML spoilt by what they say: values that are extreme or of another type, keys gone or twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from fuzz_bytes import Random, mutate_bytes

Keys = tuple[str | int, ...]

# Text that takes the place of a value as it stands here: no value of Python's is written like it.
RAW = (
    "1e999", "-1e999", "9" * 400, "9" * 5000, "-0", "0x10", "1_000", "NaN", "Infinity", "-Infinity", "",
    "[" * 2000 + "]" * 2000, '{"a":' * 2000 + "1" + "}" * 2000, "[" * 150_000, '"\\ud800"', '"\\u0000"',
    '"a" "b"', "undefined", "tru", "'single'", "/* */ 1", "1 // 2",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 255, 256, 2**31 - 1, 2**31, -(2**31), 2**32, 2**40, 2**53, 2**63 - 1, 2**63,
    2**64, -(2**63) - 1, 10**30, 0.5, -0.5, -0.0, 1e-320, 1e-9, 1e9, 1e38, 1e300, -1e300, 0.1 + 0.2,
    "", " ", "0", "1", "none", "true", "\n", "\t", "é", "первый", "日本", "🙂" * 5, "e\u0301", "\u202e", "\x7f",
    "\x85",
    "a" * 300, "a" * 100_000, "%s%n", "{stem}", "{0}", "${HOME}", "~", "*", "?", "[", "\\", "a\\b", "con", "a/b",
    [], {}, [[]], [None], [0], [1, 2], [-1, 1e9], ["a"], [{}], {"a": 1}, {"": ""}, {"format": "coco"}, [0] * 3000,
    [[[[[[0]]]]]], {"a": {"b": {"c": [1]}}},
)  # fmt: skip
# Where a name of a file stands, and anywhere else: ways out of a folder.
ESCAPES = (
    "..", "../", "../outside/secret.png", "../../outside/secret.png", "images/../../outside/secret.png", ".", "./",
    "/", "//", "/etc/hostname", "/dev/zero", "/dev/stdin", "/proc/self/environ", "~/.profile", "file:///etc/passwd",
    "images", "..\\..\\secret.png", "C:\\secret.png", "link.png", "linked/secret.png", "ring.png", "a\0b", "\0",
    "b" * 300, "d/" * 2000 + "e", "images/\u202egnp.png", "con", "-rf", "|touch CANARY", "$(touch CANARY)",
    "http://localhost:1/a.png", "\ud800", "a/../b", "a/./b", "a//b", "images/ok.png/../..", "...", "..a",
)  # fmt: skip


def paths_of(value: Any, at: Keys = ()) -> Iterator[Keys]:
    """Where the pieces of a value are, the whole first."""
    yield at
    pieces = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, piece in pieces:
        yield from paths_of(piece, (*at, key))


def mutate_value(random: Random, value: Any, escapes: Sequence[str] = ESCAPES) -> Any:
    """A value of JSON after one to three mutations, for `json_bytes` to write."""
    changed = deepcopy(value)
    for _ in range(int(random.choice([1, 1, 2, 3]))):
        places = [keys for keys in paths_of(changed) if keys]
        if not places:
            return _any(random, escapes)
        *outer, key = places[int(random.integers(len(places)))]
        holder = _at(changed, outer)
        action = int(random.integers(10))
        if action <= 4:
            holder[key] = _any(random, escapes)
        elif action == 5:
            holder[key] = near(random, holder[key])
        elif action == 6:
            del holder[key]
        elif action == 7:
            holder[key] = deepcopy(_at(changed, places[int(random.integers(len(places)))]))
        elif action == 8:
            holder[key] = [holder[key]] if random.random() < 0.5 else {"a": holder[key]}
        elif isinstance(holder, dict):
            name = str(key) if random.random() < 0.5 else str(_any(random, escapes))
            holder[f"@key:{name}"] = _any(random, escapes)
        else:
            holder.insert(int(key), deepcopy(holder[key]))
    return changed


def near(random: Random, value: Any) -> Any:
    """A value of the same type, not far from it."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, (int, float)):
        return [value + 1, value - 1, -value, value * 2, value / 2, float(value)][int(random.integers(6))]
    if isinstance(value, str):
        pieces = [value + "x", value[1:], value.upper(), value * 2, value + " ", value[::-1]]
        return pieces[int(random.integers(len(pieces)))]
    if isinstance(value, list):
        return [value[::-1], value * 2, value[:1], value[1:]][int(random.integers(4))]
    return dict(reversed(list(value.items())))


def json_bytes(random: Random, value: Any) -> bytes:
    """A mutated value as text, one time in eight spoilt byte by byte as well."""
    text = json.dumps(value, ensure_ascii=bool(random.random() < 0.5))
    text = text.replace('"@key:', '"')
    for number, raw in enumerate(RAW):
        text = text.replace(f'"@raw:{number}"', raw)
    data = text.encode("utf-8", "surrogatepass")
    return mutate_bytes(random, data) if random.random() < 0.125 else data


def _any(random: Random, escapes: Sequence[str]) -> Any:
    kind = random.random()
    if kind < 0.25:
        return f"@raw:{int(random.integers(len(RAW)))}"
    if kind < 0.5:
        return escapes[int(random.integers(len(escapes)))]
    return deepcopy(VALUES[int(random.integers(len(VALUES)))])


def _at(value: Any, keys: Sequence[str | int]) -> Any:
    for key in keys:
        value = value[key]
    return value
