"""Documents that tests write: committed as they are, and compared ever after."""

import os
from pathlib import Path


def compare(path: Path, text: str) -> None:
    """Fail when a document is not what the tests found; `UPDATE=1` writes it anew."""
    if os.environ.get("UPDATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    assert found == text, f"{path.name} has drifted: run the tests again with UPDATE=1"
