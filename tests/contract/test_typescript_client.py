"""`@odometer/client`: its types are those of the documents, and it does what its tests say."""

from pathlib import Path

from tests.support.documents import compare
from tests.support.javascript import generator, node
from tests.support.stack import ROOT

CLIENT = ROOT / "clients" / "typescript"
DOCUMENT = ROOT / "functions" / "edge" / "page" / "files" / "openapi.json"
TYPED = ("--strict", "--target", "ES2022", "--lib", "ES2023,DOM", "--module", "NodeNext")


def test_the_types_are_those_of_the_documents(tmp_path: Path) -> None:
    made = tmp_path / "schema.d.ts"
    node(generator("openapi-typescript/bin/cli.js"), DOCUMENT, "-o", made)
    compare(CLIENT / "schema.d.ts", made.read_text(encoding="utf-8"))


def test_the_declarations_are_those_of_the_code(tmp_path: Path) -> None:
    node(generator("typescript/bin/tsc"), "-p", CLIENT, "--outDir", tmp_path)
    compare(CLIENT / "index.d.ts", (tmp_path / "index.d.ts").read_text(encoding="utf-8"))


def test_a_misspelt_question_is_no_typescript() -> None:
    node(generator("typescript/bin/tsc"), "--noEmit", *TYPED, CLIENT / "test" / "types.ts")


def test_the_client_keeps_its_promises() -> None:
    printed = node("--test", "--test-reporter=tap", CLIENT / "test" / "client.test.js")
    assert "# fail 0" in printed
    assert "# skipped 0" in printed
