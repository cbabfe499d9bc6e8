"""The mutants of a file: one change each that should change what the code does, made by cosmic-ray's operators.

Of cosmic-ray's replacements of operators only the hard ones are taken: an operator becomes the one that is nearest
in meaning, never one that its operands could not bear. `mutation.py` says what is left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.provider import OperatorProvider
from parso.python.tree import Operator as Sign
from parso.python.tree import Param
from parso.tree import NodeOrLeaf

REPLACED = {
    "Binary": (
        "Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Mul Mod_FloorDiv Pow_Mul "
        "BitAnd_BitOr BitOr_BitAnd BitXor_BitAnd LShift_RShift RShift_LShift"
    ),
    "Comparison": ("Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is"),
    "Unary": "Delete_USub Delete_Invert Delete_Not",
}
OTHERS = (
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ExceptionReplacer",
    "NumberReplacer",
    "ZeroIterationForLoop",
)
NAMES = (*(f"Replace{kind}Operator_{pair}" for kind, pairs in REPLACED.items() for pair in pairs.split()), *OTHERS)
OPERATORS = {name: OperatorProvider()[name]() for name in NAMES}

SILENT = {"fstring", "raise_stmt", "decorator", "import_from", "import_name"}
LISTS = {"parameters", "dictorsetmaker", "arglist"}  # of which * and ** are no arithmetic


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Args:
        file: by its path from the root, with slashes.
        operator: of cosmic-ray.
        occurrence: which of the operator's places in the file it is.
        line: the number of the line that is changed.
        text: the line as it is.
        changed: the line as it becomes.
        code: all of the file as it becomes.
    """

    file: str
    operator: str
    occurrence: int
    line: int
    text: str
    changed: str
    code: str


@dataclass(frozen=True)
class Place:
    """Where an operator changes something: `occurrence` counts the operator's places in the file."""

    file: str
    operator: str
    occurrence: int
    line: int


class NoPython(ValueError):
    """A mutant that nobody could overlook, such as `not` before an assignment."""


def places_of(root: Path, file: str) -> list[Place]:
    """All places of a file at which there is a mutant, in the order of the lines."""
    tree = get_ast((root / file).read_text(encoding="utf-8"))
    nodes = list(ast_nodes(tree))
    found = []
    for name, operator in OPERATORS.items():
        occurrence = 0
        for node in nodes:
            for position in operator.mutation_positions(node):
                if not _changes_nothing(node, name):
                    found.append(Place(file, name, occurrence, position[0][0]))
                occurrence += 1
    return sorted(found, key=lambda place: (place.line, place.operator, place.occurrence))


def mutant_at(root: Path, place: Place) -> Mutant:
    """The mutant of a place.

    Raises:
        NoPython: what it becomes could not be run at all.
    """
    code = (root / place.file).read_text(encoding="utf-8")
    mutated = mutate_code(code, OPERATORS[place.operator], place.occurrence)
    if mutated is None:
        raise ValueError(f"{place} is in no such file as {root / place.file}")
    try:
        ast.parse(mutated)
    except SyntaxError as error:
        raise NoPython(f"{place}: {error}") from error
    before, after = code.splitlines(), mutated.splitlines()
    at = next((i for i, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), place.line - 1)
    return Mutant(
        place.file, place.operator, place.occurrence, at + 1, before[at].strip(), after[at].strip(), mutated
    )


def statement_lines(code: str, line: int) -> range:
    """The lines of the innermost statement around a line; of one with a body, those of its head."""
    best = range(line, line + 1)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or node.lineno
            if node.lineno <= line <= end:
                best = range(node.lineno, end + 1)
    return best


def _changes_nothing(node: NodeOrLeaf, operator: str) -> bool:
    """Whether a place is in a text, a type or a list of names, or a twin of another operator's."""
    if operator == "AddNot":  # these have a mutant that says the same
        test = node.children[2 if node.type == "test" else 1]
        if test.type in ("comparison", "not_test") or test.get_code().strip() == "TYPE_CHECKING":
            return True
    if isinstance(node, Sign):
        types = node.value == "|" and any(child.get_code().strip() == "None" for child in node.parent.children)
        if types or node.parent.type in LISTS:
            return True
    if (
        node.parent is not None
        and node.parent.type == "argument"
        and node.parent.children[0].get_code().strip() == "strict"
    ):
        return True
    return any(above.type in SILENT or _is_annotation(below, above) for below, above in _ascent(node))


def _ascent(node: NodeOrLeaf) -> Iterator[tuple[NodeOrLeaf, NodeOrLeaf]]:
    """A node's ancestors, each after the child by which it is one; the node comes first as its own."""
    yield node, node
    while node.parent is not None:
        yield node, node.parent
        node = node.parent


def _is_annotation(below: NodeOrLeaf, above: NodeOrLeaf) -> bool:
    if above.type == "annassign":
        return below is above.children[1]
    if above.type == "funcdef":
        return below is above.annotation
    return above.type == "tfpdef" or (isinstance(above, Param) and below is above.annotation)
