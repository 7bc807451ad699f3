"""What users have used, as the engine gives it to reports."""

from collections.abc import Sequence
from random import Random

from odometer.domain.kinds import Kind
from odometer.engine.format.frames import SHARD, Frame
from odometer.engine.format.products import MeteredProduct
from odometer.engine.read.measuring import Used


def used_of(kind: Kind, rows: Sequence[Sequence[int]]) -> Used:
    """The measures of each user, and the days active."""
    columns = list(zip(*rows, strict=True))
    shards = range(0, len(rows), SHARD)
    frames = [Frame.of([column[at:][:SHARD] for column in columns]) for at in shards]
    return Used(MeteredProduct("used", kind), frames)


def used_by_chance(kind: Kind, seed: int, largest: int, users: int) -> Used:
    """A fifth of the users have used nothing; the first measure is below the largest number."""
    random, others = Random(seed), len(kind.measures) - 1

    def row() -> list[int]:
        first, days = random.randrange(largest), random.randrange(1, 30)
        return [first, *(random.randrange(3) for _ in range(others)), days]

    nothing = [0] * (others + 2)
    return used_of(kind, [row() if random.random() < 0.8 else nothing for _ in range(users)])
