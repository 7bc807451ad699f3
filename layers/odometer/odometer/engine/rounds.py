"""Rounds: what is asked for at the same time is read at once.

Whoever reads is a generator. It yields what it asks for, is sent the answers in the same order, and
returns what it makes of them. So several can go side by side, and nobody waits for more than what
depends on other answers.
"""

from collections.abc import Generator, Iterable, Sequence
from itertools import chain
from typing import Any, TypeAlias, TypeVar

from odometer.engine.store import Item, KeyRange, PagesOf, Store, items_of

Made = TypeVar("Made")
Asked: TypeAlias = KeyRange | PagesOf[Any]
Steps: TypeAlias = Generator[Sequence[Asked], Any, Made]


def in_rounds(store: Store, steps: Steps[Made]) -> Made:
    """What the steps make in the end; each of them is one round."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(answers(store, asked))
    except StopIteration as done:
        made: Made = done.value
        return made


def side_by_side(several: Iterable[Steps[Made]]) -> Steps[list[Made]]:
    """The steps of several at once: a round asks for what each of them asks for next."""
    made: dict[int, Made] = {}
    left = dict(enumerate(several))
    answered: dict[int, Sequence[Any] | None] = dict.fromkeys(left)
    while answered:
        asked: dict[int, Sequence[Asked]] = {}
        for place, found in answered.items():
            try:
                asked[place] = left[place].send(found)
            except StopIteration as done:
                made[place] = done.value
        each = iter((yield list(chain.from_iterable(asked.values()))) if asked else ())
        answered = {place: [next(each) for _ in some] for place, some in asked.items()}
    return [made[place] for place in sorted(made)]


def answers(store: Store, asked: Sequence[Asked]) -> list[Any]:
    """The items of key ranges, of which those that meet are read together, and what is made."""
    key_ranges = [each for each in asked if isinstance(each, KeyRange)]
    joined = joined_key_ranges(key_ranges)
    others = [each for each in asked if isinstance(each, PagesOf)]
    found = store.pages_of_each([*(PagesOf(each, items_of) for each in joined), *others])
    made, read = iter(found[len(joined) :]), list(zip(joined, found, strict=False))
    return [items_in(read, e) if isinstance(e, KeyRange) else next(made) for e in asked]


def items_in(read: Sequence[tuple[KeyRange, Sequence[Item]]], wanted: KeyRange) -> list[Item]:
    whole, items = next(each for each in read if contains(each[0], wanted))
    if whole == wanted:
        return list(items)
    return [item for item in items if wanted.first <= item["sk"] <= wanted.last]


def contains(whole: KeyRange, part: KeyRange) -> bool:
    within = whole.pk == part.pk and whole.first <= part.first <= whole.last
    return whole == part if whole.limit or part.limit else within


def joined_key_ranges(key_ranges: Iterable[KeyRange]) -> list[KeyRange]:
    """Ranges that meet as one; those with a limit stay as they are."""
    limited = dict.fromkeys(each for each in key_ranges if each.limit)
    joined: list[KeyRange] = []
    whole = (each for each in key_ranges if not each.limit)
    for key_range in sorted(whole, key=lambda each: (each.pk, each.first)):
        last = joined[-1] if joined else None
        if last and last.pk == key_range.pk and key_range.first <= last.last:
            strong = last.strong or key_range.strong
            joined[-1] = KeyRange(key_range.pk, last.first, max(last.last, key_range.last), strong)
        else:
            joined.append(key_range)
    return [*joined, *limited]
