"""Every command of a document for newcomers works, in the order in which it stands there."""

import os
import re
import shutil
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.documents import compare
from tests.support.live_deployment import Deployment
from tests.support.shell_document import Block, Outcome, blocks_of, is_as_shown, run

QUICKSTART = Path("docs/quickstart.md")
MEASURED = re.compile(r"(?<=\|---\|---:\|\n).*?(?=<!-- end of measured -->)", re.DOTALL)


@pytest.fixture
def checkout(deployment: Deployment, tmp_path: Path) -> Path:
    """A folder like the checkout, whose local stack is the one that runs."""
    if deployment.home is None or not shutil.which("curl"):
        pytest.skip("needs a local stack and curl")
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in (".venv", "clients"):
        (folder / name).symlink_to(Path(name).absolute())
    (folder / ".local").symlink_to(deployment.home.absolute())
    return folder


def environment_of_a_newcomer(home: Path) -> dict[str, str]:
    """Nothing of ours, but where this tree is tested without being installed."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", "NO_PROXY": "127.0.0.1"}


def tried(document: Path, checkout: Path, tmp_path: Path) -> list[tuple[Block, Outcome]]:
    """All blocks of a document with what they printed, in an organization of their own."""
    ours = f"My Company {uuid4().hex[:8]}"
    blocks = blocks_of(document.read_text().replace("My Company", ours))
    outcomes = run(blocks, checkout, environment_of_a_newcomer(tmp_path))
    for block, outcome in zip(blocks, outcomes, strict=True):
        shown = block.shown
        assert shown is None or is_as_shown(outcome.printed, shown), (block, outcome.printed)
    return list(zip(blocks, outcomes, strict=True))


def test_the_quickstart_works_command_by_command(checkout: Path, tmp_path: Path) -> None:
    seconds: Counter[str] = Counter()
    for block, outcome in tried(QUICKSTART, checkout, tmp_path):
        seconds[block.heading] += outcome.seconds  # type: ignore[assignment]  # it adds up
    assert len(seconds) == 6
    if os.environ.get("UPDATE"):
        rows = "".join(f"| {heading} | {taken:.1f} |\n" for heading, taken in seconds.items())
        compare(QUICKSTART, MEASURED.sub(rows, QUICKSTART.read_text()))


@pytest.mark.parametrize(("document", "blocks"), [("docs/integrate.md", 7), ("CONTRIBUTING.md", 1)])
def test_the_commands_of_a_document_work_in_their_order(
    document: str, blocks: int, checkout: Path, tmp_path: Path
) -> None:
    assert len(tried(Path(document), checkout, tmp_path)) == blocks
