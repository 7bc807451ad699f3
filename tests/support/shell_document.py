"""Documents whose commands are run: blocks of `bash` in order in one shell, and what they print."""

import re
import subprocess
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
LONGEST_SECONDS = 180
REST = "…"
BETWEEN = "=== the next block ==="


class Block(NamedTuple):
    """Commands of a document, the heading that they stand below, and what they print, if shown."""

    heading: str
    commands: str
    shown: str | None


class Outcome(NamedTuple):
    """What a block has printed, and how long it took."""

    printed: str
    seconds: float


def blocks_of(text: str) -> list[Block]:
    found = [*BLOCK.finditer(text)]
    pairs = pairwise([*found, None])
    return [
        Block(
            heading_above(text, block.start()),
            block[2],
            following[2] if following and following[1] == "text" else None,
        )
        for block, following in pairs
        if block and block[1] == "bash"
    ]


def heading_above(text: str, place: int) -> str:
    return ["", *(heading[1] for heading in HEADING.finditer(text, 0, place))][-1]


def run(blocks: list[Block], folder: Path, environment: Mapping[str, str]) -> list[Outcome]:
    """Run all blocks in one shell, which ends with the first command that fails."""
    clock = "date +%s.%N >&3"
    lines = ["set -euo pipefail", "exec 3>clock", clock]
    for block in blocks:
        lines += ["{", block.commands.rstrip(), "} </dev/null", f"echo -n '{BETWEEN}'", clock]
    done = subprocess.run(
        ["/bin/bash", "-c", "\n".join(lines)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )
    printed = done.stdout.split(BETWEEN)
    assert done.returncode == 0, (blocks[len(printed) - 1], printed[-1], done.stderr)
    times = map(float, (folder / "clock").read_text().split())
    seconds = [after - before for before, after in pairwise(times)]
    return [Outcome(*each) for each in zip(printed, seconds, strict=False)]


def is_as_shown(printed: str, shown: str) -> bool:
    """Whether a text is what a document shows, in which `…` stands for anything."""
    parts = map(re.escape, without_ends(shown).split(REST))
    return re.fullmatch(".*".join(parts), without_ends(printed), re.DOTALL) is not None


def without_ends(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
