"""Clients that a stranger generates from our documents send what we take and read what we answer.

Their models are strict: no other fields, no null where the document knows none, no `1` for `true`.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from tests.contract.published import ANSWERS
from tests.contract.questions import FAMILIES, QUESTIONS, Answering, Question, answering
from tests.support.conformance import DOCUMENTS
from tests.support.stack import ROOT, stack_on_moto

GENERATE = [
    *(sys.executable, "-m", "datamodel_code_generator"),
    *("--input-file-type", "openapi"),
    *("--openapi-scopes", "schemas", "paths", "parameters"),
    *("--output-model-type", "pydantic_v2.BaseModel"),
    *("--target-pydantic-version", "2.14"),
    *("--target-python-version", "3.11"),
    *("--strict-types", "str", "int", "float", "bool"),
    *("--extra-fields", "forbid"),
    *("--formatters", "builtin"),
    "--use-annotated",
    "--use-missing-sentinel",
    "--use-operation-id-as-name",
]


@pytest.fixture(scope="module")
def us() -> Iterator[Answering]:
    with stack_on_moto() as stack:
        yield answering(stack)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, ModuleType]]:
    """The models of a generated client, by family."""
    folder = tmp_path_factory.mktemp("clients")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield {family: generated(family, folder) for family in FAMILIES}


def generated(family: str, folder: Path) -> ModuleType:
    """Generate the models of one document, and import them."""
    document = ROOT / "docs" / "api" / f"{family.replace('_', '-')}.json"
    module = f"generated_{family}"
    command = [*GENERATE, "--input", str(document), "--output", str(folder / f"{module}.py")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return import_module(module)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The models of a client that is generated from what the originals publish."""
    folder = tmp_path_factory.mktemp("originals")
    content = {"openapi": "3.1.0", "info": {"title": "The originals", "version": "1"}, "paths": {}}
    document = folder / "originals.json"
    schemas = {name_of(path): schema for path, schema in ANSWERS.items()}
    document.write_text(json.dumps({**content, "components": {"schemas": schemas}}))
    command = [*GENERATE, "--input", str(document), "--output", str(folder / "originals.py")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield import_module("originals")


def name_of(path: str) -> str:
    """A name for the answer of a path."""
    return "".join(part.capitalize() for part in re.split(r"[\W_]+", path))


def family_of(question: Question) -> str:
    return next(name for name in FAMILIES if question.path in DOCUMENTS[name]["paths"])


def sent(module: ModuleType, question: Question) -> Mapping[str, object]:
    """The query as the generated client sends it."""
    operation = DOCUMENTS[family_of(question)]["paths"][question.path]["get"]
    name = f"{operation['operationId'][:1].upper()}{operation['operationId'][1:]}ParametersQuery"
    if not question.query:
        return {}
    model: type[BaseModel] = getattr(module, name)
    values = model.model_validate(question.query).model_dump(by_alias=True, exclude_unset=True)
    return {key: spelled(value) for key, value in values.items()}


def spelled(value: object) -> object:
    """A value in a query string."""
    match value:
        case Enum():
            return value.value
        case date() | datetime():
            return value.isoformat()
    return value


def read(module: ModuleType, question: Question, text: str) -> Any:
    """An answer as the generated client reads it."""
    operation = DOCUMENTS[family_of(question)]["paths"][question.path]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    model: type[BaseModel] = getattr(module, schema["$ref"].rpartition("/")[2])
    return model.model_validate_json(text)


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_generated_client_asks_and_reads(
    us: Answering, models: Mapping[str, ModuleType], question: Question
) -> None:
    module = models[family_of(question)]
    reply = us.to_url(question.url(sent(module, question)))
    assert reply.status == 200, reply
    understood = read(module, question, reply.text).model_dump(mode="json", by_alias=True)
    assert understood == json.loads(reply.text.replace(".000Z", "Z"))


@pytest.mark.parametrize("question", QUESTIONS, ids=str)
def test_a_client_of_the_originals_reads_our_answers(
    us: Answering, originals: ModuleType, question: Question
) -> None:
    reply = us.to(question)
    assert reply.status == 200, reply
    model: type[BaseModel] = getattr(originals, name_of(question.path))
    understood = model.model_validate_json(reply.text).model_dump(mode="json", by_alias=True)
    assert understood == json.loads(reply.text)
