"""Licences of photos: what they are, and what a picture made of several may be published under.

This is a reading of the licences' published terms, so that what is plainly not allowed is left out and the rest
named. It is no legal advice: it knows nothing of exceptions, of rights other than the photographer's, or of
whether a photo's licence was given by who could give it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

ELEMENTS = ("by", "nc", "nd", "sa")
UNKNOWN = "unknown"

_WORDS = {
    "attribution": "by",
    "noncommercial": "nc",
    "noderivs": "nd",
    "sharealike": "sa",
}
# The sets that Creative Commons made licences of; those of version 1.0 without "by" are among them.
_KINDS = [
    frozenset(kind.split("-"))
    for kind in ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd", "sa", "nd", "nc", "nc-sa", "nd-nc")
]
_PUBLIC = {  # by what a name or URL contains: not licences, but statements that none is needed
    "publicdomain/zero": "CC0 1.0",
    "publicdomain/mark": "Public Domain Mark 1.0",
    "public domain mark": "Public Domain Mark 1.0",
    "public domain dedication": "CC0 1.0",
    "creativecommons.org/licenses/publicdomain": "Public domain",
    "creativecommons.org/publicdomain": "Public domain",
    "flickr.com/commons/usage": "No known copyright restrictions",
    "no known copyright restrictions": "No known copyright restrictions",
    "usa.gov/copyright": "United States Government Work",
    "usa.gov/government-works": "United States Government Work",
    "united states government work": "United States Government Work",
    "public domain": "Public domain",
}
# Licences of software that some collections of photos use: the notice is kept, all else is allowed.
_NOTICES = {name.lower(): name for name in ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause")}

_CODES = (
    re.compile(r"creativecommons\.org/licenses/([a-z+-]+)(?:/(\d\.\d))?"),
    re.compile(r"\b(?:cc|creative commons)[ -]((?:by|nc|nd|sa)(?:[ -](?:by|nc|nd|sa))*)\b(?:[ -]v?(\d\.\d))?"),
)
_ZERO = re.compile(r"\bcc[ -]?(?:0|zero)\b")
# A name stands at the beginning and alone, or it may be prose: "attribution is not required".
_NAME = re.compile(
    rf"(?:creative commons )?((?:{'|'.join(_WORDS)})(?:[ -](?:{'|'.join(_WORDS)}))*)"
    r"(?: (\d\.\d))?(?: (?:generic|international|unported|licen[sc]e)\b)*(?= \(|$)"
)


@dataclass(frozen=True)
class Licence:
    """A licence.

    Args:
        name: short and always written alike ("CC BY-NC-SA 2.0"); as it was found where it is not known.
        elements: of ELEMENTS, what it asks for: by (name the author), nc (no commercial use), nd (no derivatives),
            sa (derivatives under the same licence). Empty for the public domain, None where they are not known.
    """

    name: str | None
    elements: frozenset[str] | None


def parse_licence(text: str | None) -> Licence:
    """Read what a collection says of a photo's licence: names and URLs as COCO, Open Images, Flickr and SPDX have.

    A text whose name and URL speak of different licences is not known.

    Example:
        >>> parse_licence("Attribution-ShareAlike License (http://creativecommons.org/licenses/by-sa/2.0/)").name
        'CC BY-SA 2.0'
        >>> sorted(parse_licence("CC-BY-NC-4.0").elements), parse_licence("ask first")
        (['by', 'nc'], Licence(name='ask first', elements=None))
    """
    if text is None or not text.strip():
        return Licence(None, None)
    # One kind of hyphen, one space, one spelling: "Attribution_Non-Commercial" is "attribution-noncommercial".
    plain = re.sub(r"[\u2010-\u2015_]", "-", " ".join(text.lower().split()))
    for spelt, word in (("commercial", "noncommercial"), ("deriv[a-z]*(?: works?)?", "noderivs")):
        plain = re.sub(rf"\bnon?[ -]?{spelt}", word, plain)
    found = _readings(re.sub(r"\bshare[ -]alike", "sharealike", plain))
    elements = {one.elements for one in found}
    names = {one.name for one in found}
    # "CC BY" and "CC BY 2.0" in one text are the same licence, of which one mention leaves out the version.
    names -= {
        name for name in names if any(other != name and f"{other}".startswith(f"{name} ") for other in names)
    }
    if len(elements) == len(names) == 1 and None not in elements:
        return Licence(names.pop(), elements.pop())
    return Licence(text.strip(), None)


def combination(licences: Sequence[Licence], edited: bool) -> Licence | str:
    """The licence of a picture made of photos under these, or why it may not be made.

    - nd allows neither to combine a photo with another nor to edit it.
    - Of sa, the picture is under that very licence, which must ask for all that the others do; two sa licences
      that ask for different things clash. Versions are not told apart; the result is named by the latest.
    - Otherwise the picture asks for whatever one of them does.
    - Where one is not known the picture's is not either; what the others forbid holds all the same.

    Args:
        licences: one for each photo, the same one as often as it comes.
        edited: whether anything but putting photos together was done, or the one photo was changed.

    Returns:
        The licence, or a sentence that says what forbids it.

    Raises:
        ValueError: no licences.

    Example:
        >>> one, other = parse_licence("CC BY-NC 2.0"), parse_licence("CC BY-NC-SA 2.0")
        >>> combination([one, other], edited=True).name
        'CC BY-NC-SA 2.0'
        >>> combination([other, parse_licence("CC BY-SA 2.0")], edited=True)
        'CC BY-NC-SA 2.0 and CC BY-SA 2.0 both ask for their own terms'
    """
    if not licences:
        raise ValueError("licences are none; accepted is one for each photo")
    names = sorted({(one.name or UNKNOWN, one.elements) for one in licences if one.elements is not None}, key=str)
    known = [(name, elements) for name, elements in names if elements is not None]
    combined = len(licences) > 1
    if (reason := _refusal(known, edited or combined)) is not None:
        return reason
    if len(set(licences)) == 1:
        return Licence(licences[0].name or UNKNOWN, licences[0].elements)
    if any(one.elements is None for one in licences):
        return Licence(UNKNOWN, None)
    union = frozenset[str]().union(*(elements for _, elements in known))
    return Licence(_name([name for name, elements in known if elements == union], union), union)


def _readings(plain: str) -> set[Licence]:
    """Every licence that a text in small letters speaks of."""
    found = set()
    for pattern in _CODES:
        for code, version in pattern.findall(plain):
            found.add(_creative_commons(frozenset(re.split("[ -]", code)), version))
    if named := _NAME.match(plain):
        words = re.split("[ -]", named[1])
        found.add(_creative_commons(frozenset(_WORDS[word] for word in words), named[2] or ""))
    public = [name for piece, name in _PUBLIC.items() if piece in plain]
    if _ZERO.search(plain):
        public.insert(0, "CC0 1.0")
    if public:  # the first says most: a dedication to the public domain is called that too
        found.add(Licence(public[0], frozenset()))
    if plain in _NOTICES:
        found.add(Licence(_NOTICES[plain], frozenset({"by"})))
    return found


def _creative_commons(elements: frozenset[str], version: str) -> Licence:
    if elements not in _KINDS:
        return Licence(None, None)
    return Licence(f"{_code(elements)} {version}".strip(), elements)


def _code(elements: frozenset[str]) -> str:
    return "CC " + "-".join(element.upper() for element in ELEMENTS if element in elements)


def _refusal(known: list[tuple[str, frozenset[str]]], derived: bool) -> str | None:
    """What forbids a picture made of photos under these licences, given as names and elements, or None."""
    for name, elements in known:
        if "nd" in elements and derived:
            return f"{name} allows no derivatives"
    sharing = [(name, elements) for name, elements in known if "sa" in elements]
    for name, elements in sharing:
        if elements != sharing[0][1]:
            return f"{sharing[0][0]} and {name} both ask for their own terms"
    for name, elements in known if sharing else ():
        if more := elements - sharing[0][1]:
            return f"{name} asks for {' and '.join(sorted(more))}, which {sharing[0][0]} does not let anyone add"
    return None


def _name(names: list[str], elements: frozenset[str]) -> str:
    """What to call the licence that asks for `elements`, of which photos' licences with these names ask alike."""
    kinds = {re.sub(r" \d\.\d$", "", name) for name in names}
    if not names:
        return _code(elements)
    return max(names) if len(kinds) == 1 else " and ".join(names)
