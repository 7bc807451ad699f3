"""Values are compared, hashed, shown and replaced as frozen dataclasses are."""

from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from mypy import api

from odometer.domain.frozen import frozen


@dataclass(frozen=True, slots=True)
class Known:
    """As Python makes it."""

    name: str
    sizes: tuple[int, ...] = ()
    secret: str = field(default="x", repr=False, compare=False)


@frozen
class Ours:
    """As we make it."""

    name: str
    sizes: tuple[int, ...] = ()
    secret: str = field(default="x", repr=False, compare=False)


@frozen
class Shown:
    """A value with words of its own."""

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"


@pytest.mark.parametrize("kind", [Known, Ours])
def test_a_value_is_its_fields(kind: Any) -> None:
    one, same, other = kind("a", (1, 2)), kind("a", sizes=(1, 2), secret="y"), kind("a")
    assert one == same != other
    assert hash(one) == hash(same)
    assert len({one, same, other}) == 2
    assert one != ("a", (1, 2))
    assert repr(one) == f"{kind.__name__}(name='a', sizes=(1, 2))"
    assert replace(one, sizes=()) == other
    assert copy(one) == one
    assert not hasattr(one, "__dict__")
    match one:
        case Known(name, sizes) | Ours(name, sizes):
            assert (name, sizes) == ("a", (1, 2))


def test_values_of_two_classes_differ() -> None:
    values: list[object] = [Known("a"), Ours("a"), Shown("a")]
    assert len(set(values)) == len(values)


def test_words_of_ones_own_are_kept() -> None:
    assert repr(Shown("a")) == "<a>"


def test_mypy_lets_nobody_assign(tmp_path: Path) -> None:
    code = (
        "from odometer.domain.frozen import frozen\n"
        "@frozen\nclass A:\n    name: str\n"
        'one = A("a")\none.name = "b"\nA(1)\n'
    )
    (tmp_path / "code.py").write_text(code)
    told, _, _ = api.run([str(tmp_path / "code.py"), "--cache-dir", str(tmp_path)])
    assert 'Property "name" defined in "A" is read-only' in told
    assert 'incompatible type "int"; expected "str"' in told


def test_a_class_that_is_written_now_is_made_like_those_before() -> None:
    @frozen
    class Written:
        """A value."""

        name: str
        size: int = 0
        note: str = field(default="", repr=False, compare=False)

    @frozen
    class Worded:
        """A value with words of its own."""

        name: str

        def __repr__(self) -> str:
            return "worded"

    one, same, other = Written("a", 1), Written("a", 1, "noted"), Written("a", 2)
    assert isinstance(Written, type)
    others: list[object] = [other, ("a", 1)]
    assert (one == same, *(one == each for each in others)) == (True, False, False)
    assert (hash(one) == hash(same), len({one, same, other})) == (True, 2)
    assert hash(one) != hash(other)
    assert repr(one).endswith("Written(name='a', size=1)")
    assert repr(Worded("a")) == "worded"
    assert not hasattr(one, "__dict__")
