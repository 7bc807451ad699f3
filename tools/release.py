"""Make a release: set the version, write its notes, pack it for the tests of the next, and tag it.

`make release VERSION=0.2.0` does so on a clean main, after its checks and tests. It pushes nothing.
"""

import argparse
import lzma
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

CHANGELOG = Path("CHANGELOG.md")
UNRELEASED = "## Unreleased\n"
PACKAGE = Path("layers/odometer/odometer/__init__.py")
TEMPLATE = Path("template.yaml")
VERSION_IN = {
    PACKAGE: r'(?<=__version__ = ")[^"]+',
    TEMPLATE: r'(?<=Release: \{This: \{Version: ")[^"]+',
}
PACKED = Path("tests/fixtures/release_before.tar.xz")
PARTS = (
    "layers/odometer/odometer",
    "functions",
    ":!functions/edge/page/files",
    "tests/support/release_process.py",
)
"""What the tests of the next release run of this one."""
IS_VERSION = re.compile(r"\d+\.\d+\.\d+")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version", nargs="?", default="")
    parser.add_argument("--check", action="store_true", help="say only whether it can be made")
    wanted = parser.parse_args()
    if reasons := list(refusals(wanted.version)):
        sys.exit("\n".join(["Not released.", *reasons]))
    if not wanted.check:
        release(wanted.version)
        tag = f"v{wanted.version}"
        print(f"Released here as {tag}. Publish it: git push origin main {tag}")


def refusals(version: str) -> Iterator[str]:
    """Why this cannot be released now."""
    present = present_version()
    if not IS_VERSION.fullmatch(version):
        yield f"Say which version: make release VERSION=… (this is {present})."
    elif by_number(version) < by_number(present):
        yield f"{version} comes before {present}, the version of this."
    elif git("tag", "--list", f"v{version}"):
        yield f"The tag v{version} exists: take the next version."
    if (branch := git("branch", "--show-current")) != "main":
        yield f"Releases are made on main, and this is {branch or 'no branch'}."
    if changed := git("status", "--porcelain").splitlines():
        yield f"Commit first, or remove: {', '.join(line[2:].strip() for line in changed)}."
    if not notes():
        yield f"{CHANGELOG} says nothing under Unreleased: say there what changes for users."


def present_version() -> str:
    (found,) = re.findall(VERSION_IN[PACKAGE], PACKAGE.read_text())
    return str(found)


def by_number(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def notes() -> str:
    """What the changelog says since the release before."""
    _, _, rest = CHANGELOG.read_text().partition(UNRELEASED)
    return re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0].strip()


def release(version: str) -> None:
    text = notes()
    set_version(version)
    git("add", str(CHANGELOG), *map(str, VERSION_IN))
    PACKED.write_bytes(packed(git("write-tree")))
    git("add", str(PACKED))
    git("commit", "--quiet", "--message", f"Release {version}")
    message = f"Odometer {version}\n\n{text}"
    git("tag", "--annotate", "--cleanup=whitespace", "--message", message, f"v{version}")


def set_version(version: str) -> None:
    """Write the version where it is written, and the day of the release into the changelog."""
    for file, pattern in VERSION_IN.items():
        file.write_text(re.sub(pattern, version, file.read_text()))
    heading = f"{UNRELEASED}\n## {version} – {datetime.now(UTC).date()}\n"
    CHANGELOG.write_text(CHANGELOG.read_text().replace(UNRELEASED, heading, 1))


def packed(tree: str) -> bytes:
    """The package and the functions of a commit, or of any tree."""
    command = ["git", "archive", "--format=tar", tree, *PARTS]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    return lzma.compress(archive, preset=9 | lzma.PRESET_EXTREME)


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.rstrip()


if __name__ == "__main__":
    main()
