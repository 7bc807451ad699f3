"""Looks for secrets in what git tracks, or in all that it ever did: `make check`, `make secrets`.

Keys and tokens of our own are known by their form and checksum; what others look like knows
detect-secrets, which runs in the environment of `policy`. What is made up has its reason in
`tools/made_up_secrets.toml`. No secret is printed.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from odometer.access.keys import PATTERN as KEY
from odometer.access.keys import AccessKey
from odometer.access.tokens import PATTERN as TOKEN

MADE_UP: Final = Path(__file__).with_name("made_up_secrets.toml")
LOCK: Final = re.compile(r"(requirements|layers/odometer)/.*\.txt|.*package-lock\.json")
"""Lists of hashes, of which `tests/unit/test_pins.py` knows each line."""
NAMED: Final = "Secret Keyword"
"""What is called a secret. In Python ruff finds that (S105 to S107), and knows what a name is."""
OURS: Final = "Odometer key"
CHANGES: Final = ("--unified=0", "--no-renames", "--no-ext-diff", "--output-indicator-new=>")
"""Nothing but what was added, with a mark that no header has."""
INLINE: Final = "detect_secrets.filters.allowlist.is_line_allowlisted"
"""A comment that allows its line says no reason, so it allows nothing here."""


class Finding(NamedTuple):
    """A secret by where it stands; its digest tells it from others and tells nobody what it is."""

    path: str
    line: int
    kind: str
    digest: str

    @classmethod
    def of(cls, path: str, line: int, kind: str, secret: str) -> "Finding":
        return cls(path, line, kind, sha256(secret.encode()).hexdigest()[:12])


class MadeUp(NamedTuple):
    """Findings that are no secrets: by their digests, or by what a whole file is."""

    paths: re.Pattern[str]
    kinds: frozenset[str]
    digests: frozenset[str]
    why: str

    def covers(self, finding: Finding) -> bool:
        return bool(
            self.paths.fullmatch(finding.path)
            and (not self.kinds or finding.kind in self.kinds)
            and (not self.digests or finding.digest in self.digests)
        )


def main(*words: str) -> None:
    if words == ("--history",):
        with TemporaryDirectory() as folder:
            finish(scanned(Path(folder), all_lines_ever(Path(folder))))
    else:
        finish(scanned(Path(), words or tracked()))


def finish(found: list[Finding]) -> None:
    """End with an error that names each finding that nobody has argued."""
    allowed = made_up()
    unknown = [each for each in found if not any(it.covers(each) for it in allowed)]
    for path, line, kind, digest in unknown:
        sys.stdout.write(f"{path}:{line}: {kind} ({digest})\n")
    if unknown:
        sys.exit(
            "Is one of these real? Then end it where it opens something, and only then remove it. "
            f"What is made up gets a row with its reason in tools/{MADE_UP.name}."
        )


def made_up() -> list[MadeUp]:
    return [
        MadeUp(
            re.compile(each["paths"]),
            frozenset(each.get("kinds", ())),
            frozenset(each.get("digests", ())),
            each["why"],
        )
        for each in tomllib.loads(MADE_UP.read_text())["made_up"]
    ]


def tracked() -> list[str]:
    return list(git("ls-files"))


def scanned(root: Path, paths: Iterable[str]) -> list[Finding]:
    """What stands in some files below a folder."""
    os.environ.setdefault("DETECT_SECRETS_PERF_PREGATE", "1")  # it leaves out lines without a hint
    from detect_secrets.core.scan import scan_file  # noqa: PLC0415  tests read the rest without it
    from detect_secrets.settings import default_settings  # noqa: PLC0415

    found = set[Finding]()
    with default_settings() as settings:
        settings.disable_filters(INLINE)
        for path in paths:
            if (root / path).is_file():
                text = (root / path).read_text(errors="replace")
                found.update(keys_of_ours(path, text))
                others = () if LOCK.fullmatch(path) else scan_file(str(root / path))
                found.update(
                    Finding.of(path, each.line_number, each.type, each.secret_value)
                    for each in others
                    if each.type != NAMED or not path.endswith(".py")
                )
    return sorted(found)


def keys_of_ours(path: str, text: str) -> Iterator[Finding]:
    """Keys whose checksum is right, and whatever has the form of a token."""
    for number, line in enumerate(text.splitlines(), 1):
        for key in KEY.finditer(line):
            if AccessKey.parse(key[0]):
                yield Finding.of(path, number, OURS, key[0])
        for token in TOKEN.finditer(line):
            yield Finding.of(path, number, OURS, token[0])


def all_lines_ever(folder: Path) -> list[str]:
    """Files that hold each line that the file of this name ever had, and each of all messages."""
    lines = {"commit messages": dict.fromkeys(git("log", "--all", "--format=%B"))}
    path = ""
    for line in git("log", "--all", "-p", "-m", "--format=", *CHANGES):
        if line.startswith("+++ "):
            path = line.removeprefix("+++ ").strip('\t"').removeprefix("b/")
        elif line.startswith(">"):
            lines.setdefault(path, {})[line[1:]] = None
    for name, its in lines.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join(its))
    return sorted(lines)


def git(*words: str) -> Iterator[str]:
    """The lines that git answers."""
    pipe = subprocess.PIPE
    with subprocess.Popen(["git", *words], stdout=pipe, text=True, errors="replace") as process:
        assert process.stdout  # noqa: S101  it is a pipe
        yield from (line.rstrip("\n") for line in process.stdout)
    if process.returncode:
        sys.exit(f"git {' '.join(words)} failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
