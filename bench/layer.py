"""How large the layer is that every function carries: our package and what it needs, for arm64.

It is built as `sam build` builds it, but not compiled: bytecode is about as large again.
"""

from __future__ import annotations

import subprocess
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.publish import publish
from tests.support.stack import ROOT

LAYER = ROOT / "layers" / "odometer"
LARGEST = 5


def main(_: Sequence[str], *, write: bool) -> None:
    with TemporaryDirectory() as folder:
        command = ["make", "-C", str(LAYER), "install", "prune", f"ARTIFACTS_DIR={folder}"]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  our own tool
        text = table(Path(folder) / "python")
    print(f"\n{text}")
    if write:
        publish("layer", text)


def table(site: Path) -> str:
    """The largest packages, and all of them together, as they are and deflated."""
    sizes, deflated = Counter[str](), Counter[str]()
    for path in filter(Path.is_file, site.rglob("*")):
        content, package = path.read_bytes(), path.relative_to(site).parts[0]
        sizes[package] += len(content)
        deflated[package] += len(zlib.compress(content))
    lines = ["| package | MB | deflated |", "| --- | ---: | ---: |"]
    rows = [*sizes.most_common(LARGEST), ("all", sizes.total())]
    deflated["all"] = deflated.total()
    lines += [f"| {name} | {size / 1e6:.1f} | {deflated[name] / 1e6:.1f} |" for name, size in rows]
    return "\n".join(lines)
