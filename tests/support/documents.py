"""Documents that tests write: committed as they are, and compared ever after."""

import os
import re
from pathlib import Path


def compare(path: Path, text: str) -> None:
    """Fail when a document is not what the tests found; `UPDATE=1` writes it anew."""
    if os.environ.get("UPDATE"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    assert found == text, f"{path.name} has drifted: run the tests again with UPDATE=1"


def write_section(path: Path, title: str, text: str) -> None:
    """With `UPDATE=1`, put a section into a document of figures where it was, or at its end."""
    if os.environ.get("UPDATE"):
        found = path.read_text(encoding="utf-8") if path.exists() else "# What it costs\n"
        former = re.compile(rf"\n## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL)
        section = f"\n## {title}\n\n{text.rstrip()}\n"
        whole, times = former.subn(lambda _: section, found)
        path.write_text(whole if times else f"{found.rstrip()}\n{section}", encoding="utf-8")
