"""All targets, by what they read."""

from tests.fuzz import (
    clients,
    commands,
    deliveries,
    requests,
    stored_directory,
    stored_items,
    texts,
)

TARGETS = [
    *stored_items.TARGETS,
    *stored_directory.TARGETS,
    *texts.TARGETS,
    *commands.TARGETS,
    *clients.TARGETS,
    *deliveries.TARGETS,
    *requests.TARGETS,
]
