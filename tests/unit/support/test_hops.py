"""Hops are the longest chain of calls that wait for one another."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.support.hops import Hops, counted_hops


def call(counted: Hops, times: int = 1) -> int:
    for _ in range(times):
        counted.call()
    return times


def test_calls_one_after_the_other_are_as_many_hops() -> None:
    with counted_hops() as counted:
        call(counted, 3)
    assert (counted.hops, counted.calls) == (3, 3)


def test_calls_that_go_out_together_are_one_hop() -> None:
    with ThreadPoolExecutor(4) as pool, counted_hops() as counted:
        list(pool.map(lambda _: call(counted), range(4)))
        call(counted)
    assert (counted.hops, counted.calls) == (2, 5)


def test_calls_that_are_sent_before_one_is_answered_are_one_hop_whoever_reads_the_answers() -> None:
    with ThreadPoolExecutor(4) as pool, counted_hops() as counted:
        first, second = (counted.sent("Query") for _ in range(2))
        call(counted)
        counted.waited(second, "Query")
        pool.submit(counted.waited, first, "Query").result()
        counted.waited(counted.sent("Query"), "Query")
    assert (counted.hops, counted.calls) == (2, 4)
    assert counted.rounds == {0: {"Query": 2}, 1: {"Query": 1}}


def test_a_longer_chain_beside_a_shorter_one_counts() -> None:
    with ThreadPoolExecutor(4) as pool, counted_hops() as counted:
        long, short = (pool.submit(call, counted, times) for times in (3, 1))
        call(counted, 2)
        assert short.result() + long.result() == 4
    assert counted.hops == 3


def test_whoever_needs_an_answer_waits_for_its_chain() -> None:
    with ThreadPoolExecutor(4) as pool, counted_hops() as counted:
        first = pool.submit(call, counted, 2)
        second = pool.submit(lambda: first.result() and call(counted))
        second.result()
    assert counted.hops == 3


def test_a_pool_has_so_many_workers() -> None:
    with ThreadPoolExecutor(2) as pool, counted_hops() as counted:
        list(pool.map(lambda _: call(counted), range(7)))
    assert (counted.hops, counted.calls) == (4, 7)


def test_what_nobody_waits_for_is_a_call_and_no_hop() -> None:
    may_begin = Event()
    with ThreadPoolExecutor(2) as pool, counted_hops() as counted:
        pool.submit(lambda: may_begin.wait() and call(counted, 5))
        call(counted)
        may_begin.set()
    assert (counted.hops, counted.calls) == (1, 6)


def test_a_chain_that_ends_in_an_error_was_waited_for() -> None:
    def fail(counted: Hops) -> None:
        call(counted, 2)
        raise LookupError

    with ThreadPoolExecutor(2) as pool, counted_hops() as counted:
        failing = pool.submit(fail, counted)
        with pytest.raises(LookupError):
            failing.result()
    assert counted.hops == 2


def test_tasks_of_tasks_wait_for_their_own_calls() -> None:
    with ThreadPoolExecutor(2) as outer, ThreadPoolExecutor(2) as inner, counted_hops() as counted:
        chain = outer.submit(lambda: list(inner.map(lambda _: call(counted), range(2))))
        chain.result()
        call(counted)
    assert (counted.hops, counted.calls) == (2, 3)


def test_what_was_cancelled_is_not_waited_for() -> None:
    may_begin = Event()
    with ThreadPoolExecutor(1) as pool:
        with counted_hops() as counted:
            pool.submit(may_begin.wait)
            waiting = pool.submit(call, counted)
            assert waiting.cancel()
            may_begin.set()
        assert counted.calls == 0
