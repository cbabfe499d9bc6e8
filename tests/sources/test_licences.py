"""Licences are read from every form collections write them in, and combined as their terms say, pair by pair."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthharm.sources.licences import UNKNOWN, Licence, combination, parse_licence

READ = [
    (
        "Attribution-NonCommercial-ShareAlike License (http://creativecommons.org/licenses/by-nc-sa/2.0/)",
        "by nc sa",
    ),
    ("Attribution-NonCommercial License (http://creativecommons.org/licenses/by-nc/2.0/)", "by nc"),
    ("Attribution-NonCommercial-NoDerivs License (http://creativecommons.org/licenses/by-nc-nd/2.0/)", "by nc nd"),
    ("Attribution License (http://creativecommons.org/licenses/by/2.0/)", "by"),
    ("Attribution-ShareAlike License (http://creativecommons.org/licenses/by-sa/2.0/)", "by sa"),
    ("Attribution-NoDerivs License (http://creativecommons.org/licenses/by-nd/2.0/)", "by nd"),
    ("No known copyright restrictions (http://flickr.com/commons/usage/)", ""),
    ("United States Government Work (http://www.usa.gov/copyright.shtml)", ""),
    ("https://creativecommons.org/licenses/by/2.0/", "by"),
    ("https://creativecommons.org/publicdomain/zero/1.0/", ""),
    ("https://creativecommons.org/publicdomain/mark/1.0/", ""),
    ("Public Domain Dedication (CC0)", ""),
    ("Public Domain Mark", ""),
    ("Public Domain", ""),
    ("No known copyright restrictions", ""),
    ("United States Government Work", ""),
    ("CC0", ""),
    ("CC0-1.0", ""),
    ("CC BY-SA 4.0", "by sa"),
    ("CC-BY-NC-ND-4.0", "by nc nd"),
    ("cc-by-2.0", "by"),
    ("CC_BY_NC", "by nc"),
    ("Creative Commons Attribution 4.0 International", "by"),
    ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International License", "by nc nd"),
    ("Attribution 2.0 Generic (CC BY 2.0)", "by"),
    ("Attribution-Non-Commercial-Share Alike", "by nc sa"),
    ("Attribution–NoDerivative Works 2.0", "by nd"),  # noqa: RUF001
    ("Apache-2.0", "by"),
]
NOT_READ = [
    "ask first",
    "All Rights Reserved",
    "attribution is not required",
    "id 9, which the file does not explain",
    "https://creativecommons.org/licenses/sampling+/1.0/",
    "CC BY-ND-SA 4.0",
    "Attribution License (http://creativecommons.org/licenses/by-nc/2.0/)",
    "CC BY 2.0 or CC BY 4.0",
    "CC0 or CC BY 4.0",
]


@pytest.mark.parametrize(("text", "elements"), READ)
def test_a_form_is_read(text: str, elements: str) -> None:
    assert parse_licence(text).elements == frozenset(elements.split())


@pytest.mark.parametrize("text", NOT_READ)
def test_what_says_something_else_or_two_things_is_not_known(text: str) -> None:
    assert parse_licence(text) == Licence(text, None)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_nothing_said_is_not_known(text: str | None) -> None:
    assert parse_licence(text) == Licence(None, None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (READ[0][0], "CC BY-NC-SA 2.0"),
        ("CC-BY-SA-4.0", "CC BY-SA 4.0"),
        ("Attribution 2.0 Generic (CC BY 2.0)", "CC BY 2.0"),
        ("Attribution License", "CC BY"),
        ("Public Domain Dedication (CC0)", "CC0 1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "Public Domain Mark 1.0"),
        (READ[6][0], "No known copyright restrictions"),
        (READ[7][0], "United States Government Work"),
    ],
)
def test_names_are_written_alike(text: str, name: str) -> None:
    assert parse_licence(text).name == name


@given(st.text(max_size=60))
def test_any_text_is_read_or_not_known(text: str) -> None:
    licence = parse_licence(text)
    if licence.elements is None:
        assert licence.name == (text.strip() or None)
    else:
        assert licence.elements <= {"by", "nc", "nd", "sa"}


# Pairs: what the terms say, written out. A dash is a refusal.

CC = {code: parse_licence(f"CC {code} 4.0") for code in ("BY", "BY-SA", "BY-ND", "BY-NC", "BY-NC-SA", "BY-NC-ND")}
CC["CC0"] = parse_licence("CC0")
PAIRS = """
          CC0       BY        BY-SA     BY-NC     BY-NC-SA  BY-ND     BY-NC-ND
CC0       CC0       BY        BY-SA     BY-NC     BY-NC-SA  -         -
BY        BY        BY        BY-SA     BY-NC     BY-NC-SA  -         -
BY-SA     BY-SA     BY-SA     BY-SA     -         -         -         -
BY-NC     BY-NC     BY-NC     -         BY-NC     BY-NC-SA  -         -
BY-NC-SA  BY-NC-SA  BY-NC-SA  -         BY-NC-SA  BY-NC-SA  -         -
BY-ND     -         -         -         -         -         -         -
BY-NC-ND  -         -         -         -         -         -         -
"""
HEAD, *ROWS = (line.split() for line in PAIRS.strip().splitlines())
TABLE = [(row[0], column, result) for row in ROWS for column, result in zip(HEAD, row[1:], strict=True)]


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize(("one", "other", "result"), TABLE)
def test_every_pair(one: str, other: str, result: str, edited: bool) -> None:
    found = combination([CC[one], CC[other]], edited)
    assert isinstance(found, str) if result == "-" else found == CC[result]


def test_the_table_has_every_pair() -> None:
    assert len(TABLE) == len(CC) ** 2
    assert {frozenset(row[:2]) for row in TABLE} == {frozenset(p) for p in combinations_with_replacement(CC, 2)}


@pytest.mark.parametrize("code", list(CC))
def test_one_photo_keeps_its_licence_unless_it_may_not_be_edited(code: str) -> None:
    assert combination([CC[code]], edited=False) == CC[code]
    found = combination([CC[code]], edited=True)
    assert found == (CC[code] if "ND" not in code else f"{CC[code].name} allows no derivatives")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["CC BY-SA 2.0", "CC BY-NC 2.0"], "CC BY-NC 2.0 asks for nc, which CC BY-SA 2.0 does not let anyone add"),
        (["CC BY-SA 2.0", "CC BY-NC-SA 2.0"], "CC BY-NC-SA 2.0 and CC BY-SA 2.0 both ask for their own terms"),
        (["CC BY-ND 2.0", "what is this"], "CC BY-ND 2.0 allows no derivatives"),
    ],
)
def test_a_refusal_says_why(names: list[str], reason: str) -> None:
    assert combination([parse_licence(name) for name in names], edited=True) == reason


@pytest.mark.parametrize(
    ("names", "result"),
    [
        (["CC BY-SA 2.0", "CC BY-SA 4.0"], "CC BY-SA 4.0"),
        (["CC BY 2.0", "CC BY 4.0", "CC0"], "CC BY 4.0"),
        (["CC0", "Public Domain"], "CC0 1.0 and Public domain"),
        (["Apache-2.0", "CC BY 4.0"], "Apache-2.0 and CC BY 4.0"),
        (["https://creativecommons.org/licenses/nc/1.0/", "CC BY 4.0"], "CC BY-NC"),
    ],
)
def test_what_a_result_is_called(names: list[str], result: str) -> None:
    found = combination([parse_licence(name) for name in names], edited=True)
    assert isinstance(found, Licence)
    assert found.name == result


LICENCES = st.lists(st.sampled_from([*CC.values(), parse_licence("who knows"), parse_licence(None)]), min_size=1)


@given(LICENCES, st.booleans())
def test_neither_order_nor_repetition_matters(licences: list[Licence], edited: bool) -> None:
    found = combination(licences, edited)
    assert combination(licences[::-1], edited) == found
    if len(licences) > 1:
        assert combination([*licences, licences[0]], edited) == found


@given(LICENCES, st.booleans())
def test_a_result_asks_for_all_that_its_photos_do(licences: list[Licence], edited: bool) -> None:
    found = combination(licences, edited)
    if isinstance(found, str):
        return
    if any(one.elements is None for one in licences):
        assert found.elements is None
        assert found.name == (licences[0].name if len(set(licences)) == 1 and licences[0].name else UNKNOWN)
    else:
        assert found.elements == frozenset().union(*(one.elements or () for one in licences))


def test_no_licences_are_refused() -> None:
    with pytest.raises(ValueError, match="accepted is one for each photo"):
        combination([], edited=False)
