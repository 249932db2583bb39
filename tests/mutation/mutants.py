"""The mutants of one source file: mutmut's operators, laid over the whole file, and a fixed sample of them.

What is not mutated, by choice, and why:
- strings and what builds a message (``raise`` and ``warn`` statements): a test of each word would be a copy of it;
- type hints, except the bounds within them (``Annotated[int, Field(ge=1)]``);
- imports, ``if TYPE_CHECKING`` and ``__all__``: the type checkers and the API's snapshot hold these.
Everything else is: defaults of arguments, fields of specs, constants of the module and decorators too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

_OPERATORS = [(kind, operator) for kind, operator in mutation_operators if operator is not operator_string]


# Arguments and assignments are four mutants of five, and most of them die of a TypeError: half of a sample at most.
PLENTIFUL = frozenset({"arg_removal", "assignment"})


@dataclass(frozen=True)
class Mutant:
    """One change of one expression, with the whole file as it then reads.

    Attributes:
        path: The file.
        name: The file, the line's number and text, and the change, on one line.
        reach: The first and last line of which one must run for the change to be seen.
        at_import: Whether those lines run when the module is imported.
        of_header: Whether it is of a signature or a decorator.
        source: The file's source with the change.
    """

    path: str
    name: str
    reach: tuple[int, int]
    at_import: bool
    of_header: bool
    source: str


@dataclass(frozen=True)
class _Place:
    """A node that an operator changes, and what it becomes."""

    node: cst.CSTNode
    change: cst.CSTNode
    operator: str
    line: int
    reach: tuple[int, int]
    at_import: bool
    of_header: bool


class _Walk(cst.CSTVisitor):
    """Visits what may be mutated and notes, for each node, which lines must run for the change to be seen."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Place] = []
        self.functions: list[tuple[int, int]] = []
        self.statements: list[tuple[int, int]] = []
        self.headers = 0
        self.hints: list[bool] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Enter a node, or leave it and what is below it alone."""
        if self._left_alone(node):
            return False
        if isinstance(node, cst.FunctionDef):
            self.functions.append(self._lines(node.body))
        if isinstance(node, cst.Parameters | cst.Decorator):
            self.headers += 1
        if isinstance(node, cst.BaseSmallStatement | cst.BaseCompoundStatement):
            self.statements.append(self._head(node))
        if isinstance(node, cst.Annotation):
            self.hints.append(True)
        if isinstance(node, cst.Call) and self.hints:
            self.hints.append(False)
        if not (self.hints and self.hints[-1]):
            self._mutate(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Forget what the node had opened."""
        if self._left_alone(original_node):
            return
        if isinstance(original_node, cst.FunctionDef):
            self.functions.pop()
        if isinstance(original_node, cst.Parameters | cst.Decorator):
            self.headers -= 1
        if isinstance(original_node, cst.BaseSmallStatement | cst.BaseCompoundStatement):
            self.statements.pop()
        if isinstance(original_node, cst.Annotation) or (isinstance(original_node, cst.Call) and self.hints):
            self.hints.pop()

    def _left_alone(self, node: cst.CSTNode) -> bool:
        match node:
            case cst.Raise() | cst.Import() | cst.ImportFrom() | cst.FormattedString():
                return True
            case cst.If(test=cst.Name("TYPE_CHECKING")):
                return True
            case cst.Assign(targets=[cst.AssignTarget(target=cst.Name("__all__"))]):
                return True
            case cst.Call(func=cst.Attribute(attr=cst.Name("warn")) | cst.Name("warn")):
                return True
        return False

    def _lines(self, node: cst.CSTNode) -> tuple[int, int]:
        where = self.get_metadata(PositionProvider, node)
        return where.start.line, where.end.line

    def _head(self, node: cst.CSTNode) -> tuple[int, int]:
        """The lines of a statement; of one with a body, those before the body."""
        first, last = self._lines(node)
        body = getattr(node, "body", None)
        return first, max(first, self._lines(body)[0] - 1) if isinstance(body, cst.BaseSuite) else last

    def _mutate(self, node: cst.CSTNode) -> None:
        # A header (a default, a decorator) runs at import; what it changes is seen where the body runs.
        inside = self.functions[: len(self.functions) - 1] if self.headers else self.functions
        at_import = not inside
        if self.headers and self.functions:
            reach = self.functions[-1]
            at_import = False
        else:
            reach = self.statements[-1] if self.statements else (1, 1)
        line = self._lines(node)[0]
        for kind, operator in _OPERATORS:
            if isinstance(node, kind):
                name = operator.__name__.removeprefix("operator_")
                self.found.extend(
                    _Place(node, change, name, line, reach, at_import, self.headers > 0) for change in operator(node)
                )


def _places(root: Path, path: str) -> tuple[cst.Module, list[_Place]]:
    wrapper = MetadataWrapper(cst.parse_module((root / path).read_text(encoding="utf-8")), unsafe_skip_copy=True)
    walk = _Walk()
    wrapper.visit(walk)
    return wrapper.module, walk.found


def _drawn(places: list[_Place], size: int, dice: random.Random) -> list[_Place]:
    """So many of the places, no more than half of them of the plentiful kinds as long as others are left."""
    plentiful = [place for place in places if place.operator in PLENTIFUL]
    others = [place for place in places if place.operator not in PLENTIFUL]
    of_others = min(len(others), size - size // 2)
    drawn = dice.sample(others, of_others) + dice.sample(plentiful, min(len(plentiful), size - of_others))
    return sorted(drawn, key=places.index)


def kinds(root: Path, paths: Iterable[str]) -> Counter[str]:
    """How many mutants of each kind (operator) the files have."""
    return Counter(place.operator for path in paths for place in _places(root, path)[1])


def sample(root: Path, paths: Iterable[str], size: int, seed: int, *, uniform: bool = False) -> Iterator[Mutant]:
    """A sample of the mutants of some files, each file by its share (at least one).

    ``uniform`` draws every mutant with the same chance, so that the share killed of the sample is that of all. Else at
    most half are of the plentiful kinds, which is harder on the tests and finds more of their holes. The same files,
    size and seed give the same mutants, in the order of the files and their lines.
    """
    parsed = {path: _places(root, path) for path in sorted(paths)}
    total = sum(len(places) for _, places in parsed.values())
    for path, (module, places) in parsed.items():
        share = min(len(places), max(1, round(size * len(places) / total)))
        dice = random.Random(f"{seed} {path}")
        drawn = sorted(dice.sample(places, share), key=places.index) if uniform else _drawn(places, share, dice)
        for place in drawn:
            before, after = (" ".join(module.code_for_node(code).split()) for code in (place.node, place.change))
            source = module.deep_replace(place.node, place.change).code
            where = module.code.splitlines()[place.line - 1].strip()
            name = f"{path}:{place.line} [{where}] {place.operator}: {before} -> {after}"
            yield Mutant(path, name, place.reach, place.at_import, place.of_header, source)
