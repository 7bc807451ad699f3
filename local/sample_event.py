"""A sample event with a running demo's names in it: what `make invoke-…` sends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.demo import made_for
from odometer_cli.client import Client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
