"""Values of parameters that are left out, which stand beside the code of a function."""

import ast
from collections.abc import Iterator, Sequence
from types import FunctionType
from typing import Any

Defaults = tuple[tuple[Any, ...] | None, dict[str, Any] | None]


def changed_defaults(
    source: str, name: str, functions: Sequence[FunctionType]
) -> Iterator[tuple[FunctionType, Defaults]]:
    """Functions with the defaults that a source gives them; only constants can change."""
    for node, function in zip(nodes_of(ast.parse(source).body, name), functions, strict=False):
        old, old_named = function.__defaults__, function.__kwdefaults__
        written = zip(node.args.defaults, old or (), strict=False)
        named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        new_named = {
            each.arg: constant(default, (old_named or {})[each.arg])
            for each, default in named
            if default is not None
        }
        yield function, (tuple(constant(*each) for each in written) or None, new_named or None)


def constant(node: ast.expr, otherwise: Any) -> Any:
    return node.value if isinstance(node, ast.Constant) else otherwise


def nodes_of(body: Sequence[ast.stmt], name: str) -> Iterator[ast.FunctionDef]:
    head, _, rest = name.partition(".")
    for node in body:
        if isinstance(node, ast.FunctionDef) and name == node.name:
            yield node
        elif isinstance(node, ast.ClassDef) and node.name == head:
            yield from nodes_of(node.body, rest)
