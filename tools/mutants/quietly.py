"""How tests run here: without a word, without network, and properties with few examples."""

import gc
import os
import tempfile
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

PROFILE: Final = "mutants"
EXAMPLES: Final = 40
"""What a property is tried with; the least that leaves one to those that divide by forty."""
QUIETLY: Final = ["-qq", "--no-header", "--no-summary", "-p", "no:cacheprovider", "-p", "no:xdist"]


def settle_hypothesis(items: Iterable[Any] = ()) -> None:
    """Let properties try the same few examples each time, and look for no smaller ones.

    The clock of the machine is one of the Chatham Islands, so that nobody takes it for UTC.
    """
    from hypothesis import HealthCheck, Phase, settings  # noqa: PLC0415  pytest is to be first

    settings.register_profile(
        PROFILE,
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile(PROFILE)
    os.environ.update(HYPOTHESIS_PROFILE=PROFILE, TZ="Pacific/Chatham")
    time.tzset()
    for item in items:
        function: Any = getattr(item, "function", None)
        mine = getattr(function, "_hypothesis_internal_use_settings", None)
        if mine is not None:
            fewer = min(EXAMPLES, mine.max_examples)
            function._hypothesis_internal_use_settings = settings(  # noqa: SLF001  hypothesis has no other place for it
                settings.get_profile(PROFILE), max_examples=fewer
            )


def forget_caches() -> None:
    """Empty what functions remember, so that a fork begins with nothing computed before."""
    remembering = type(lru_cache(dir))
    for each in gc.get_objects():
        if isinstance(each, remembering) and str(each.__module__).startswith("odometer"):
            each.cache_clear()


def scratch() -> str:
    """A folder for temporary files of tests, instead of one of each fork."""
    return tempfile.mkdtemp(prefix="mutants-")
