"""GET /v2/clients/{client_id}/users/{user_id}/usage: one user across all products."""

from odometer.access.policy import READ_PERSON
from odometer.api.app_utilization.family import app_utilization
from odometer.api.app_utilization.users import (
    PersonUsageAnswer,
    PersonUsageQuery,
    person_usage,
)
from odometer.directory.people import User
from odometer.services.usage import Usage
from odometer.web.endpoint import user as user_named
from odometer.web.report import Report


@app_utilization("/users/{user_id}/usage", may=READ_PERSON, about=user_named("user_id"))
def handler(query: PersonUsageQuery, user: User, usage: Usage) -> Report[PersonUsageAnswer]:
    return person_usage(query, user, usage)
