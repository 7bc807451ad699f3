"""Every sample event is what it says: run through its function on the demo, it is answered so."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.demo import NAMES
from local.sample_event import demo_value, fill_placeholders
from tests.support.demo import demo_on_moto
from tests.support.stack import CONTEXT, functions
from tests.support.usage_sender import make_queue

EVENTS = sorted((Path(__file__).parents[2] / "events").glob("*.json"))
OF_THE_ENGINE = [path for path in EVENTS if path.name.startswith("engine-")]
CALLED = [path for path in EVENTS if path not in OF_THE_ENGINE]
SUCCESS = {"v1-create-embed-token": 201, "v1-create-key": 201, "v1-send-events": 202}
SUCCESS |= dict.fromkeys(("edge-preflight", "v1-erase-user", "v1-revoke-key"), 204)
REFUSALS = {
    "bad": 400,
    "no-credentials": 401,
    "no-live-key": 401,
    "unknown": 404,
    "wrong-role": 403,
    "wrong-scope": 403,
    "wrong-verb": 405,
}


@pytest.fixture(scope="module")
def names() -> Iterator[Mapping[str, str]]:
    with demo_on_moto() as found:
        yield found


def slug(folder: str) -> str:
    return folder.replace("/", "-").replace("_", "-")


def split_name(path: Path) -> tuple[str, str]:
    function, case = path.stem.split(".")
    return function, case


def expected_status(function: str, case: str) -> int:
    if case == "ok":
        return SUCCESS.get(function, 200)
    return next(status for word, status in REFUSALS.items() if case.startswith(word))


@pytest.mark.parametrize("path", CALLED, ids=lambda path: path.stem)
def test_a_sample_event_is_answered_as_its_name_says(path: Path, names: Mapping[str, str]) -> None:
    answer = answer_to(path, names)
    assert answer["statusCode"] == expected_status(*split_name(path)), answer["body"]


def answer_to(path: Path, names: Mapping[str, str]) -> dict[str, Any]:
    event = json.loads(fill_placeholders(path.read_text(), lambda name: demo_value(name, names)))
    handlers = {slug(name): handler for name, handler in functions().items()}
    answer: dict[str, Any] = handlers[split_name(path)[0]](event, CONTEXT)
    return answer


ENGINE_ANSWERS: dict[str, dict[str, Any]] = {
    "schedule": {},
    "queue": {"batchItemFailures": []},
    "stream": {"batchItemFailures": []},
}
STOPPED_FOLD = {"batchItemFailures": [{"itemIdentifier": "1700000000017450439001"}]}
UNKNOWN = {"engine-fold": STOPPED_FOLD, "engine-work": {"batchItemFailures": []}}
"""An organization without a mark has nothing to do; entries of an unknown one cannot be folded."""


@pytest.mark.parametrize("path", OF_THE_ENGINE, ids=lambda path: path.stem)
def test_a_sample_bell_is_answered_as_its_name_says(path: Path, names: Mapping[str, str]) -> None:
    make_queue()
    function, case = split_name(path)
    assert answer_to(path, names) == (ENGINE_ANSWERS.get(case) or UNKNOWN.get(function, {}))


def test_every_function_of_the_api_has_a_sample_that_is_answered_and_one_that_is_refused() -> None:
    cases = {(function, case == "ok") for function, case in map(split_name, CALLED)}
    routed = {slug(name) for name in functions() if not name.startswith("engine/")}
    answered = routed - {"edge-not-found"}  # it has nothing but refusals to give
    assert cases == {(each, True) for each in answered} | {(each, False) for each in routed}


def test_the_demo_names_everything_that_a_newcomer_needs(names: Mapping[str, str]) -> None:
    assert sorted(names) == sorted(NAMES)
    assert all(names.values())
