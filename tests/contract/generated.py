"""What generators make of our documents: a client that asks all, and models of the answers."""

import enum
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any, get_args, get_type_hints

import pytest

from tests.contract.questions import NAMED, QUESTIONS, Question, asked
from tests.contract.test_generated_clients import GENERATE
from tests.support.javascript import generator, missing, node
from tests.support.memory_directory import ACME
from tests.support.stack import ROOT

DOCUMENT = ROOT / "functions" / "edge" / "page" / "files" / "openapi.json"
OPERATIONS = {
    (path, verb): operation
    for path, operations in json.loads(DOCUMENT.read_text())["paths"].items()
    for verb, operation in operations.items()
}
DAY = {"from_": "2026-02-03", "to": "2026-02-04"}
SECONDS = {"from_": "2026-02-03T00:00:00Z", "to": "2026-02-04T00:00:00Z"}
Asked = tuple[Question, str, str | None]
ASKED: list[Asked] = [
    *((each, "get", None) for each in QUESTIONS),
    (asked("/v1/me"), "get", None),
    (asked("/v1/usage", product="automation", group_by="team", **DAY), "get", None),
    (asked("/v1/usage", kind="chat", granularity="day", group_by="user", **DAY), "get", None),
    (asked("/v1/seats", limit=1), "get", None),
    (asked("/v1/coverage", product="automation", **DAY), "get", None),
    (asked("/v1/explain", product="automation", measure="tests", **SECONDS), "get", None),
    (asked("/v1/keys"), "get", None),
    (asked("/v1/audit", limit=1), "get", None),
    (asked("/v1/directory/export"), "get", None),
    (asked("/v1/events"), "post", "application/cloudevents+json"),
    (asked("/v1/directory"), "put", "application/json"),
    (asked("/v1/keys"), "post", "application/json"),
    (asked("/v1/embed-tokens"), "post", "application/json"),
    (asked("/v1/keys/{key_id}/rotate"), "post", "application/json"),
    (asked("/v1/keys/{key_id}"), "delete", None),
    (asked("/v1/users/{user_id}"), "delete", None),
]
"""Every operation: the question, the verb, and of which type the body is."""
REPLACED = {"ada@example.com": "acme-member", "platform": "acme-core"}


Answer = tuple[Any, Any, Any]
"""An operation, what the client understood, and what was answered."""


@contextmanager
def generated_client(folder: Path) -> Iterator[ModuleType]:
    """The client that openapi-python-client makes, imported."""
    program = ROOT / ".local" / "tools" / "clients" / "bin" / "openapi-python-client"
    if not program.exists():
        missing("no openapi-python-client: `make test` installs it")
    config = folder / "config.json"
    as_bytes = {"application/x-ndjson": "application/octet-stream"}
    config.write_text(json.dumps({"post_hooks": [], "content_type_overrides": as_bytes}))
    document = folder / "openapi.json"
    document.write_text(json.dumps(without_what_the_generator_misreads()))
    files = ("--path", document, "--config", config, "--output-path", folder / "made_client")
    command = [str(each) for each in (program, "generate", "--meta", "none", *files)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert "WARNING" not in done.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield import_module("made_client")


def without_what_the_generator_misreads() -> Any:
    """The document with the first form of each body only.

    Where there are several, the generator writes `isinstance(body, list[Event])`, which Python
    refuses, and forgets to import `Unset`.
    """
    document = json.loads(DOCUMENT.read_text())
    for operations in document["paths"].values():
        for body in (each.get("requestBody") for each in operations.values()):
            if body:
                first = next(iter(body["content"]))
                body["content"] = {first: body["content"][first]}
    return document


def operation_of(client: ModuleType, operation_id: str) -> Any:
    """The module of an operation, in whatever way its name is spelled."""
    found = walk_packages(client.__path__, f"{client.__name__}.")
    plain = {each.name.rpartition(".")[2].replace("_", ""): each.name for each in found}
    return import_module(plain[operation_id.lower()])


def typed(value: object, hint: Any) -> object:
    """A value as the generated client takes it."""
    kinds = [each for each in (hint, *get_args(hint)) if isinstance(each, type)]
    for kind in kinds:
        if issubclass(kind, enum.Enum):
            return kind(value)
        if kind in (datetime, date) and isinstance(value, str):
            return kind.fromisoformat(value)
    return value


def arguments(operation: Any, values: Mapping[str, object]) -> dict[str, object]:
    """The arguments of a call, by their Python names."""
    hints = get_type_hints(operation.sync_detailed)
    names = {name.replace("_", "").lower(): name for name in hints}
    found = {names[key.replace("_", "").lower()]: value for key, value in values.items()}
    return {name: typed(value, hints[name]) for name, value in found.items()}


def body_of(operation: Any, content: Mapping[str, Any], media_type: str) -> Any:
    """The example of the body, about somebody who is there, as the client has it."""
    example = json.dumps(content["requestBody"]["content"][media_type]["example"])
    for old, new in REPLACED.items():
        example = example.replace(f'"{old}"', f'"{new}"')
    hint = get_type_hints(operation.sync_detailed)["body"]
    models = [each for each in (hint, *get_args(hint)) if hasattr(each, "from_dict")]
    return models[0].from_dict(json.loads(example))


def ask_everything(
    client: Any, made: ModuleType, asked: Iterable[Asked], organization: str = ACME
) -> list[Answer]:
    """Ask for each operation, about an organization that has what the questions name."""
    found, named = [], {**NAMED, "client_id": organization}
    for question, verb, media_type in asked:
        content = OPERATIONS[question.path, verb]
        operation = operation_of(made, content["operationId"])
        in_path = {
            name: {**question.named, **named}[name]
            for name in ("client_id", "app_id", "teamId", "user_id", "key_id")
            if f"{{{name}}}" in question.path
        }
        query = {name: organization if it == ACME else it for name, it in question.query.items()}
        values = arguments(operation, {**in_path, **query})
        if media_type:
            values["body"] = body_of(operation, content, media_type)
        reply = operation.sync_detailed(client=client, **values)
        assert reply.status_code in (200, 201, 202, 204), (str(question), reply.content)
        sent = json.loads(reply.content) if reply.content and is_json(reply) else None
        named |= {"key_id": sent["key_id"]} if sent and "access_key" in sent else {}
        found.append((content, reply.parsed, sent))
    return found


def is_json(reply: Any) -> bool:
    return bool(reply.headers.get("content-type", "").startswith("application/json"))


def plain(content: Any) -> Any:
    """Content with instants as instants, however they are spelled."""
    if isinstance(content, dict):
        return {name: plain(each) for name, each in content.items()}
    if isinstance(content, list):
        return [plain(each) for each in content]
    try:
        return datetime.fromisoformat(content) if isinstance(content, str) else content
    except ValueError:
        return content


def assert_the_client_understood(answers: Iterable[Answer]) -> None:
    for content, understood, sent in answers:
        if sent is not None:
            listed = isinstance(understood, list)
            read = [each.to_dict() for each in understood] if listed else understood.to_dict()
            assert plain(read) == plain(sent), content["operationId"]


def assert_models_read(answers: Iterable[Answer], folder: Path) -> None:
    """Let the models of datamodel-code-generator read every answer."""
    made = ("--input", str(DOCUMENT), "--output", str(folder / "models_of_everything.py"))
    figures_by_name = ("--extra-fields", "allow")
    command = [*GENERATE, *figures_by_name, *made]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    models = loaded(folder / "models_of_everything.py")
    for content, _, sent in answers:
        if sent is not None:
            status = next(each for each in content["responses"] if each.startswith("2"))
            schema = content["responses"][status]["content"]["application/json"]["schema"]
            model = getattr(models, schema["$ref"].rpartition("/")[2])
            read = model.model_validate_json(json.dumps(sent))
            understood = read.model_dump(mode="json", by_alias=True)
            assert plain(understood) == plain(sent), content["operationId"]


def assert_answers_have_types(answers: Iterable[Answer], folder: Path) -> None:
    """Let `tsc` assign every answer to the type that openapi-typescript has made."""
    lines = ['import type { operations } from "./schema.js";']
    for number, (content, _, sent) in enumerate(answers):
        if sent is not None:
            status = next(each for each in content["responses"] if each.startswith("2"))
            type_ = f'operations["{content["operationId"]}"]["responses"]["{status}"]["content"]'
            body = json.dumps(sent)
            lines.append(f'export const a{number}: {type_}["application/json"] = {body};')
    schema = (ROOT / "clients" / "typescript" / "schema.d.ts").read_text(encoding="utf-8")
    (folder / "schema.d.ts").write_text(schema)
    (folder / "answers.ts").write_text("\n".join(lines))
    (folder / "package.json").write_text('{"type": "module"}')
    typescript = generator("typescript/bin/tsc")
    wanted = ("--noEmit", "--strict", "--target", "ES2022", "--module", "NodeNext")
    node(typescript, *wanted, folder / "answers.ts")


def loaded(path: Path) -> ModuleType:
    spec = spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, path.stem, module)
        spec.loader.exec_module(module)
    return module
