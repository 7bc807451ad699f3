"""The libraries of the page are those that npm publishes, made as `LICENSES.md` says."""

import re
import subprocess
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "functions/edge/page/files/vendor"
NODE = ROOT / ".local/tools/node/bin/node"
PUBLISHED = ROOT / ".local/tools/js/node_modules"
NOTES = (VENDOR / "LICENSES.md").read_text()


def test_the_view_library_is_what_its_published_packages_make(tmp_path: Path) -> None:
    """Preact, its hooks and htm, bundled by the command in the notes."""
    entry = re.search(r"<<'END'\n(.*?)END\n", NOTES, re.DOTALL)
    command = re.search(r"bin/esbuild entry\.js (.*) --outfile", NOTES)
    assert entry
    assert command
    (tmp_path / "entry.js").write_text(entry[1])
    (tmp_path / "node_modules").symlink_to(PUBLISHED.resolve())
    made = subprocess.run(
        [NODE, PUBLISHED / "esbuild/bin/esbuild", "entry.js", *command[1].split()],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert made.stdout == (VENDOR / "standalone.module.js").read_bytes()


def test_the_chart_library_is_the_published_file() -> None:
    published = (PUBLISHED / "uplot/dist/uPlot.esm.js").read_bytes()
    assert (VENDOR / "uPlot.esm.js").read_bytes() == published


def test_the_notes_name_every_vendored_file_by_its_hash() -> None:
    files = sorted(VENDOR.glob("*.js"))
    lines = [f"{sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in files]
    assert [line for line in lines if line not in NOTES] == []
