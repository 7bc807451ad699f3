"""Fills the placeholders of a sample event with ids of the running demo."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from local.demo import create_key
from odometer_cli.client import Client, content_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PURPOSE = "made for a sample event"
PLACEHOLDER = re.compile(r"\{([A-Z_]+)\}")


def fill_placeholders(event: str, named: Callable[[str], str]) -> str:
    """The event with a value for every placeholder like {TEAM_ID}."""
    return PLACEHOLDER.sub(lambda place: named(place[1]), event)


def demo_value(name: str, names: Mapping[str, str]) -> str:
    """A value of `demo.env`, or the id of a key or a user that is created for this event."""
    client = Client(names["BASE_URL"], names["ADMIN_TOKEN"])
    match name:
        case "NEW_KEY_ID":
            return str(create_key(client, names["USER_ID"], PURPOSE)["key_id"])
        case "NEW_USER_ID":
            return id_of_user(client, PURPOSE)
    return names[name]


def id_of_user(client: Client, username: str) -> str:
    """The id of a user, who is created if missing."""
    body = json.dumps({"users": [{"username": username}]}).encode()
    (made,) = content_of(client.call("PUT", "/v1/directory", body))["results"]
    return str(made["id"])
