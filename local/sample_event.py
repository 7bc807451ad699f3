"""A sample event with a running demo's names in it, for `sam local invoke`.

python -m local.sample_event usage-metrics-team ok | sam local invoke UsageMetricsTeam --event -
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from local.demo import made_for, read_names
from odometer_cli.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EVENTS = Path("events")
PLACEHOLDER = re.compile(r"\{([A-Z_]+)\}")


def filled(event: str, named: Callable[[str], str]) -> str:
    """An event with a name's value in every place that is marked for it, like {TEAM_ID}."""
    return PLACEHOLDER.sub(lambda place: named(place[1]), event)


def of_demo(name: str, names: Mapping[str, str]) -> str:
    """A name of `demo.env`, or the id of a key that is made for this event alone."""
    if name != "NEW_KEY_ID":
        return names[name]
    client = Client(names["BASE_URL"], names["ADMIN_TOKEN"])
    return str(made_for(client, names["USER_ID"], "made for a sample event")["key_id"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.sample_event", description=__doc__)
    parser.add_argument("function")
    parser.add_argument("case")
    parser.add_argument("--home", type=Path, default=Path(".local"))
    arguments = parser.parse_args()
    names = read_names(arguments.home / "demo.env")
    event = (EVENTS / f"{arguments.function}.{arguments.case}.json").read_text()
    print(filled(event, lambda name: of_demo(name, names)))


if __name__ == "__main__":
    main()
