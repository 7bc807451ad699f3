"""`@odometer/client`: its types are those of the documents, and it does what its tests say."""

import json
from pathlib import Path
from typing import Any

from tests.support.documents import compare
from tests.support.javascript import generator, node
from tests.support.stack import ROOT

CLIENT = ROOT / "clients" / "typescript"
DOCUMENT = ROOT / "functions" / "edge" / "page" / "files" / "openapi.json"
TYPED = ("--strict", "--target", "ES2022", "--lib", "ES2023,DOM", "--module", "NodeNext")


def test_the_types_are_those_of_the_documents(tmp_path: Path) -> None:
    made, document = tmp_path / "schema.d.ts", tmp_path / "openapi.json"
    document.write_text(json.dumps(sayable(json.loads(DOCUMENT.read_text(encoding="utf-8")))))
    node(generator("openapi-typescript/bin/cli.js"), document, "-o", made)
    compare(CLIENT / "schema.d.ts", made.read_text(encoding="utf-8"))


def sayable(content: Any) -> Any:
    """A document without types of further fields beside named ones.

    TypeScript would hold the named fields to be of that type, too.
    """
    if isinstance(content, list):
        return [sayable(each) for each in content]
    if not isinstance(content, dict):
        return content
    others = {"additionalProperties": True} if is_open(content) else {}
    return {name: sayable(each) for name, each in {**content, **others}.items()}


def is_open(schema: dict[str, Any]) -> bool:
    return "properties" in schema and isinstance(schema.get("additionalProperties"), dict)


def test_the_declarations_are_those_of_the_code(tmp_path: Path) -> None:
    node(generator("typescript/bin/tsc"), "-p", CLIENT, "--outDir", tmp_path)
    compare(CLIENT / "index.d.ts", (tmp_path / "index.d.ts").read_text(encoding="utf-8"))


def test_a_misspelt_question_is_no_typescript() -> None:
    node(generator("typescript/bin/tsc"), "--noEmit", *TYPED, CLIENT / "test" / "types.ts")


def test_the_client_keeps_its_promises() -> None:
    printed = node("--test", "--test-reporter=tap", CLIENT / "test" / "client.test.js")
    assert "# fail 0" in printed
    assert "# skipped 0" in printed
