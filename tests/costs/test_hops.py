"""The hops of a request: how many round trips it waits for one after the other."""

import pytest

from odometer.bootstrap import process
from tests.support.counting_engine import stack_on_counting_engine
from tests.support.hops import counted_hops
from tests.support.memory_directory import ACME
from tests.support.stack import admin_of

pytestmark = pytest.mark.engine


def test_a_cold_request_also_waits_for_the_secret() -> None:
    with stack_on_counting_engine() as stack:
        key = admin_of(stack, ACME)
        process.cache_clear()
        with counted_hops() as cold:
            stack.get("/api/v1/organization", key)
        with counted_hops() as warm:
            stack.get("/api/v1/organization", key)
    verbs = [dict(verbs) for _, verbs in sorted(cold.rounds.items())]
    assert {"GetSecretValue": 1} in verbs
    assert cold.calls == sum(map(len, verbs))
    assert cold.hops > warm.hops > 0
