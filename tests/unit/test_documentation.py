"""What the documents name exists: files, names in files, and the targets of links."""

import re
from itertools import chain
from pathlib import Path

import pytest

PAGES = sorted([*Path().glob("*.md"), *Path("docs").rglob("*.md")])
PACKAGE = Path("layers/odometer/odometer")
BASES = (Path(), PACKAGE, PACKAGE.parent, Path("docs"))
FILE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|ya?ml|json|toml|svg))(?:::([\w.]+))?`")
FOLDER = re.compile(r"`((?:[\w.-]+/)+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def candidates(name: str) -> list[Path]:
    """The files that a name may mean; tests and handlers are named without their folder."""
    found = [base / name for base in BASES if (base / name).exists()]
    return found or [*Path("tests").rglob(name), *Path("functions").rglob(name)]


def defines(text: str, name: str) -> bool:
    """Whether a module has a class, function or constant of this name, or all of `Class.method`."""
    return all(
        re.search(rf"^\s*(?:def|class) {part}\b|^{part}\b.*=", text, re.MULTILINE)
        for part in name.split(".")
    )


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_document_names_files_and_folders_that_exist(page: Path) -> None:
    text = page.read_text()
    files = (name for name, _ in FILE.findall(text))
    assert [each for each in chain(files, FOLDER.findall(text)) if not candidates(each)] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_name_beside_a_file_is_defined_in_it(page: Path) -> None:
    named = [(file, name) for file, name in FILE.findall(page.read_text()) if name]
    assert [
        (file, name)
        for file, name in named
        if not any(defines(path.read_text(), name) for path in candidates(file))
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_a_link_leads_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [each for each in targets if not (page.parent / each).exists()] == []


@pytest.mark.parametrize(
    "question",
    [
        "Where is a cursor signed?",
        "What is written when a week ends?",
        "Where does a 404 get its words?",
        "What may a team lead read?",
        "What does a frame look like in the table?",
    ],
)
def test_a_question_of_a_newcomer_has_an_answer_with_its_path(question: str) -> None:
    text = Path("docs/architecture.md").read_text()
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {question} |")]
    assert FILE.search(row.split("|")[3])


@pytest.mark.parametrize(
    "title",
    [
        "Change a message",
        "Change a limit",
        "Add a kind or a measure",
        "Add an endpoint",
        "Change a report",
    ],
)
def test_a_change_is_told_step_by_step_with_its_files(title: str) -> None:
    sections = re.split(r"^## ", Path("CONTRIBUTING.md").read_text(), flags=re.MULTILINE)
    (section,) = [each for each in sections if each.startswith(f"{title}\n")]
    assert re.search(r"^1\. [\s\S]*^2\. ", section, re.MULTILINE)
    assert FILE.search(section)
