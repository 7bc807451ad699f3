"""What goes wrong in the background is logged once, and once more when it is over."""

from __future__ import annotations

import logging

log = logging.getLogger("odometer_client")


class Troubles:
    """The kinds of trouble that have been logged and are not over."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def tell(self, kind: str, words: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            log.warning(words)

    def over(self, beginning: str) -> None:
        """All troubles whose kind begins so are over: if they come again, they are logged again."""
        told = {kind for kind in self._told if kind.startswith(beginning)}
        if told:
            self._told -= told
            log.warning("Usage is sent again.")
