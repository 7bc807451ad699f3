"""A sample event with a running demo's names in it: what `make invoke-…` sends."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from local.demo import made_for
from odometer_cli.client import Client, content_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PURPOSE = "made for a sample event"
PLACEHOLDER = re.compile(r"\{([A-Z_]+)\}")


def filled(event: str, named: Callable[[str], str]) -> str:
    """An event with a name's value in every place that is marked for it, like {TEAM_ID}."""
    return PLACEHOLDER.sub(lambda place: named(place[1]), event)


def of_demo(name: str, names: Mapping[str, str]) -> str:
    """A name of `demo.env`, or the id of a key or a user who is made for this event alone."""
    client = Client(names["BASE_URL"], names["ADMIN_TOKEN"])
    match name:
        case "NEW_KEY_ID":
            return str(made_for(client, names["USER_ID"], PURPOSE)["key_id"])
        case "NEW_USER_ID":
            return user_called(client, PURPOSE)
    return names[name]


def user_called(client: Client, username: str) -> str:
    """The id of a user, who is made if there is none."""
    body = json.dumps({"users": [{"username": username}]}).encode()
    (made,) = content_of(client.call("PUT", "/v1/directory", body))["results"]
    return str(made["id"])
