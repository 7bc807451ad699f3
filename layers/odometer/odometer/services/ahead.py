"""Reads usage ahead: the latest view is asked for together with the credential of the caller."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from odometer.engine.memory import Memory
from odometer.engine.read.opening import Key, Opening
from odometer.engine.read.views import View
from odometer.engine.store import Item, KeyRange
from odometer.services.tasks import Tasks, done
from odometer.storage.dynamo import Found, Table


@dataclass(slots=True)
class ViewAhead:
    """The latest view of an organization, which comes while other things are found out.

    What is asked before the caller has proved to be one costs as much whatever the key: the head,
    in the same call as the credential. More is asked only for a key that has been accepted before.
    """

    opening: Opening
    store: Table
    tasks: Tasks
    accepted_before: bool
    _folds: Callable[[], list[list[Item]]] | None = field(default=None, init=False)
    _view: Future[View] | None = field(default=None, init=False)

    @classmethod
    def of(
        cls, organization: str, store: Table, memory: Memory, tasks: Tasks, *, accepted: bool
    ) -> "ViewAhead":
        ahead = cls(Opening.of(organization, memory), store, tasks, accepted)
        if accepted and ahead.opening.key_ranges:
            ahead._folds = tasks.read(store, ahead.opening.key_ranges)
        return ahead

    @property
    def keys(self) -> Sequence[Key]:
        """What is to be found together with the credential."""
        return self.opening.keys if self.accepted_before else self.opening.keys[:1]

    def go_on(self, found: Found | None, zone: str, now: int) -> None:
        """Open the view by what was found; None where it did not come together with the rest.

        Where all of it has been asked for, it is opened here: a thread takes longer to be woken.
        """
        begin = done if self._folds and found is not None else self.tasks.begin
        self._view = begin(partial(self._open, found, zone, now))

    @property
    def is_open(self) -> bool:
        """Whether `view` answers at once."""
        return self._view is not None and self._view.done() and not self._view.exception()

    def view(self) -> View:
        if self._view is None:
            raise TypeError("a view is opened for a caller")
        return self._view.result()

    def _open(self, found: Found | None, zone: str, now: int) -> View:
        asked = self.keys if found is not None else self.opening.keys[:1]
        if found is None:
            found = self.store.get_many(asked, consistent=True)
        rest = [key for key in self.opening.keys if key not in asked]
        proofs = [KeyRange(pk, sk, sk) for pk, sk in rest]
        folds = [] if self._folds else self.opening.key_ranges
        answers = self.store.read([*folds, *proofs])
        by_lane = self._folds() if self._folds else answers[: len(folds)]
        items = {(item["pk"], item["sk"]): item for each in answers[len(folds) :] for item in each}
        return self.opening.view(self.store, {**found, **items}, by_lane, zone, now)
