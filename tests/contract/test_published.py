"""Every operation of the three published APIs answers in exactly the shape of its original."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import validate

from tests.contract.published import ANSWERS, ERRORS
from tests.contract.questions import FAMILIES, QUESTIONS, Answering, Question, answering
from tests.support.conformance import DOCUMENTS
from tests.support.stack import stack_on_moto

PATHS = {path for family in FAMILIES for path in DOCUMENTS[family]["paths"]}


@pytest.fixture(scope="module")
def us() -> Iterator[Answering]:
    with stack_on_moto() as stack:
        yield answering(stack)


def test_every_operation_is_asked_and_has_a_schema() -> None:
    assert {question.path for question in QUESTIONS} == set(ANSWERS) == PATHS


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_an_answer_has_the_shape_of_the_original(us: Answering, question: Question) -> None:
    reply = us.to(question)
    assert reply.status == 200, reply
    validate(ANSWERS[question.path], reply.json)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_refusal_has_the_shape_of_the_original(us: Answering, question: Question) -> None:
    reply = us.client.stack.get(str(question))
    assert reply.status == 401
    validate(error_of(question.path), reply.json)


@pytest.mark.parametrize(
    "path", sorted({question.path for question in QUESTIONS if question.query}), ids=str
)
def test_a_fault_has_the_shape_of_the_original(us: Answering, path: str) -> None:
    wrong = {"from": "x", "limit": "x", "role": "x", "startDate": "x", "start_date": "x", "q": "\0"}
    reply = us.to_url(next(each for each in QUESTIONS if each.path == path).url(wrong))
    assert reply.status in (400, 404)
    validate(error_of(path), reply.json)


def error_of(path: str) -> Any:
    """The shape of an error at a path."""
    return next(schema for start, schema in ERRORS.items() if path.startswith(start))
