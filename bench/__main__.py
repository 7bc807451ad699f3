"""Everything that is measured here, side by side.

python -m bench --write                          # all but `scale`, into docs/performance.md
python -m bench --users 1000 --quick             # a first look
python -m bench compare --users 1000             # one part, only shown
python -m bench compare --users 100000 --days 28 90 366 --rounds 3
python -m bench intake --events 100000
python -m bench start
python -m bench layer
python -m bench ranking --users 10000            # where the time of a warm request goes
python -m bench scale --size 0.1
"""

import sys
from collections.abc import Sequence
from importlib import import_module

PARTS = ("compare", "intake", "ranking", "start", "layer", "scale")
ALL: dict[str, Sequence[str]] = {
    "compare": (),
    "intake": (),
    "ranking": (),
    "start": (),
    "layer": (),
}
"""What is measured when no part is named: not `scale`, which takes longer than the rest."""
QUICK: dict[str, Sequence[str]] = {
    "compare": ("--quick",),
    "intake": ("--events", "5000"),
    "ranking": ("--users", "1000"),
    "start": ("--rounds", "1"),
}


def main() -> None:
    words, write = [word for word in sys.argv[1:] if word != "--write"], "--write" in sys.argv
    if words and words[0] in PARTS:
        run(words[0], words[1:], write=write)
    elif words and not words[0].startswith("--"):
        sys.exit(__doc__)
    else:
        parts = QUICK if "--quick" in words else ALL
        for name, options in parts.items():
            mine = [word for word in words if word != "--quick"] if name == "compare" else []
            run(name, [*options, *mine], write=write)


def run(part: str, words: Sequence[str], *, write: bool) -> None:
    print(f"\n{part}", flush=True)
    import_module(f"bench.{part}").main(words, write=write)


if __name__ == "__main__":
    main()
