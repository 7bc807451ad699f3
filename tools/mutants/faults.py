"""The mutants of a module: faults of one place each, as mutmut makes them, and two kinds more.

mutmut swaps operators, moves numbers by one, changes texts, drops arguments, puts None in their
place. It leaves out no refusal and turns no condition that is a name or a call; both are made here.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, WhitespaceInclusivePositionProvider
from mutmut.mutation import mutators

from tools.mutants.rules import is_left_out, is_worth_nothing

PACKAGE = Path("layers/odometer/odometer")
CONTEXT = 30
"""So many characters around a fault are shown."""


@dataclass(frozen=True)
class Function:
    """A function at the top of a module or of a class, with everything in it."""

    module: str
    name: str
    digest: str
    first: int
    last: int


@dataclass(frozen=True)
class Mutant:
    """One fault: what stands in a place of a module instead."""

    function: Function
    name: str
    """What was there and what is there now; told from others alike by a number."""
    lines: range
    """The lines of its statement, counted from the first of the function."""
    start: int
    end: int
    text: str

    def applied(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]


class Module:
    """A module of the package, as text and as a tree with places."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = (PACKAGE / name).resolve()
        self.source = self.path.read_text(encoding="utf-8")
        self._lines = self.source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        wrapper = MetadataWrapper(cst.parse_module(self.source))
        self._tree = wrapper.module
        self._places = wrapper.resolve(WhitespaceInclusivePositionProvider)

    def mutants(self) -> Iterator[Mutant]:
        for node, name in functions_in(self._tree.body):
            function = self._function(node, name)
            seen: Counter[str] = Counter()
            for parents, inner in nodes_of(node, (node,)):
                for text in self._replacements(parents, inner):
                    mutant = self._mutant(function, parents, inner, text)
                    seen[mutant.name] += 1
                    again = f" (#{seen[mutant.name]})" if seen[mutant.name] > 1 else ""
                    yield Mutant(**{**vars(mutant), "name": mutant.name + again})

    def functions(self) -> list[Function]:
        return [self._function(node, name) for node, name in functions_in(self._tree.body)]

    def _function(self, node: cst.FunctionDef, name: str) -> Function:
        first, last = self._extent(node)
        text = "".join(self._lines[first - 1 : last]).strip()
        digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
        return Function(self.name, name, digest, first, last)

    def _extent(self, node: cst.CSTNode) -> tuple[int, int]:
        place = self._places[node]
        skipped = len(getattr(node, "leading_lines", ()))
        last = place.end.line - (place.end.column == 0)
        return place.start.line + skipped, last

    def _replacements(self, parents: tuple[cst.CSTNode, ...], node: cst.CSTNode) -> Iterator[str]:
        seen = {self._tree.code_for_node(node)}
        for changed in faults_of(node, parents):
            text = self._tree.code_for_node(changed)
            if text not in seen and not is_worth_nothing(node, changed, parents):
                seen.add(text)
                yield text

    def _mutant(
        self, function: Function, parents: tuple[cst.CSTNode, ...], node: cst.CSTNode, text: str
    ) -> Mutant:
        place = self._places[node]
        start = self._starts[place.start.line - 1] + place.start.column
        end = self._starts[place.end.line - 1] + place.end.column
        if self.source[start:end].split() != self._tree.code_for_node(node).split():
            raise AssertionError(f"{self.name}:{place.start.line} is not what stands there")
        statement = self._statement(parents, node)
        lines = range(statement.start - function.first, statement.stop - function.first)
        before = self.source[self._starts[place.start.line - 1] : self._starts[place.end.line]]
        offset = start - self._starts[place.start.line - 1]
        after = before[:offset] + text + before[offset + end - start :]
        return Mutant(function, difference(before, after), lines, start, end, text)

    def _statement(self, parents: tuple[cst.CSTNode, ...], node: cst.CSTNode) -> range:
        """The lines of the smallest statement around a node; of a compound one its head."""
        around = [*parents, node]
        statement = next(
            each
            for each in reversed(around)
            if isinstance(each, cst.SimpleStatementLine | cst.BaseCompoundStatement)
        )
        first, last = self._extent(statement)
        if statement is parents[0]:
            return range(first, last + 1)
        if isinstance(statement, cst.BaseCompoundStatement):
            last = max(first, self._places[node].end.line)
            first = min(first, self._places[node].start.line)
        return range(first, last + 1)


def functions_in(
    body: object, within: tuple[str, ...] = ()
) -> Iterator[tuple[cst.FunctionDef, str]]:
    for node in body if isinstance(body, list | tuple) else ():
        if isinstance(node, cst.FunctionDef):
            yield node, ".".join([*within, node.name.value])
        elif isinstance(node, cst.ClassDef):
            yield from functions_in(node.body.body, (*within, node.name.value))


def nodes_of(
    node: cst.CSTNode, parents: tuple[cst.CSTNode, ...]
) -> Iterator[tuple[tuple[cst.CSTNode, ...], cst.CSTNode]]:
    """Every node below one, with those around it; what no rule leaves out."""
    for child in node.children:
        if not is_left_out(child, parents):
            yield parents, child
            yield from nodes_of(child, (*parents, child))


def faults_of(node: cst.CSTNode, parents: tuple[cst.CSTNode, ...]) -> Iterator[cst.CSTNode]:
    for kind, operator in mutators.mutation_operators:
        if isinstance(node, kind) and kind is not cst.Match:
            yield from operator(node)
    if isinstance(node, cst.Raise):
        yield cst.Pass()
    if turns(node, parents[-1]):
        bare = isinstance(node, cst.Name | cst.Call | cst.Attribute | cst.Subscript)
        brackets = {} if bare else {"lpar": [cst.LeftParen()], "rpar": [cst.RightParen()]}
        within = node.with_changes(**brackets)
        yield cst.UnaryOperation(cst.Not(), within, lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def turns(node: cst.CSTNode, parent: cst.CSTNode) -> bool:
    """Whether a node is a condition that no other operator turns."""
    asked = isinstance(parent, cst.If | cst.CompIf | cst.While) and node is parent.test
    joined = isinstance(parent, cst.BooleanOperation)
    turned = isinstance(node, cst.BooleanOperation | cst.UnaryOperation)
    said = isinstance(node, cst.SimpleString | cst.Integer | cst.List | cst.Tuple | cst.Dict)
    compared = said or (isinstance(node, cst.Comparison) and is_swapped_to_opposite(node))
    return (asked or joined) and isinstance(node, cst.BaseExpression) and not (turned or compared)


def is_swapped_to_opposite(node: cst.Comparison) -> bool:
    opposite = cst.Equal | cst.NotEqual | cst.Is | cst.IsNot | cst.In | cst.NotIn
    return any(isinstance(each.operator, opposite) for each in node.comparisons)


def difference(before: str, after: str) -> str:
    """`was → becomes`, without what is alike far from it."""
    one, other = " ".join(before.split()), " ".join(after.split())
    start = next((n for n, pair in enumerate(zip(one, other, strict=False)) if len({*pair}) > 1), 0)
    rest = min(len(one), len(other)) - start
    ends = zip(reversed(one[start:]), reversed(other[start:]), strict=False)
    end = next((n for n, pair in enumerate(ends) if len({*pair}) > 1), rest)
    low = max(0, start - CONTEXT)
    shown = [cut(each, low, len(each) - max(0, end - CONTEXT)) for each in (one, other)]
    return " → ".join(shown)


def cut(text: str, low: int, high: int) -> str:
    return ("…" if low else "") + text[low:high] + ("…" if high < len(text) else "")
