"""Everything that is measured here, side by side.

python -m bench --write                          # all of it, into docs/performance.md
python -m bench compare --users 1000             # one part, only shown
python -m bench intake --events 100000
python -m bench start
python -m bench scale --size 0.1
"""

import sys
from importlib import import_module

PARTS = ("compare", "intake", "start", "scale")


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--write"]
    if words and words[0] not in PARTS:
        sys.exit(__doc__)
    for name in words[:1] or PARTS:
        import_module(f"bench.{name}").main(words[1:], write="--write" in sys.argv)


if __name__ == "__main__":
    main()
