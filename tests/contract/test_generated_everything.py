"""Three generators, and every operation: what they send is taken, what is answered they read.

openapi-python-client makes the client that asks. What is answered is also read by the models
of datamodel-code-generator, and assigned to the types of openapi-typescript: `tsc` says whether it
may be.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.generated import (
    ASKED,
    OPERATIONS,
    Answer,
    ask_everything,
    assert_answers_have_types,
    assert_models_read,
    assert_the_client_understood,
    generated_client,
)
from tests.contract.questions import Answering, answering
from tests.support.in_process_client import ADDRESS, open_to_clients
from tests.support.stack import stack_on_moto


def test_every_operation_is_asked() -> None:
    assert {(question.path, verb) for question, verb, _ in ASKED} == set(OPERATIONS)


@pytest.fixture(scope="module")
def us() -> Iterator[Answering]:
    with stack_on_moto() as stack:
        yield answering(stack)


@pytest.fixture(scope="module")
def answers(us: Answering, tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    folder = tmp_path_factory.mktemp("client")
    with generated_client(folder) as made, open_to_clients(us.client.stack):
        caller = made.AuthenticatedClient(base_url=ADDRESS, token=us.key)
        return ask_everything(caller, made, ASKED)


def test_a_client_of_openapi_python_client_asks_and_reads_everything(answers: list[Answer]) -> None:
    assert_the_client_understood(answers)


def test_models_of_datamodel_code_generator_read_everything(
    answers: list[Answer], tmp_path: Path
) -> None:
    assert_models_read(answers, tmp_path)


def test_answers_have_the_types_of_openapi_typescript(
    answers: list[Answer], tmp_path: Path
) -> None:
    assert_answers_have_types(answers, tmp_path)
