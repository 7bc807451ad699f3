"""GET /v2/clients/{client_id}/users/{user_id}: one user of the client."""

from odometer.access.policy import READ_PERSON
from odometer.api.app_utilization.family import app_utilization
from odometer.api.app_utilization.users import ClientUser, NothingAsked
from odometer.directory.people import User
from odometer.services.usage import Usage
from odometer.web.endpoint import user as user_named
from odometer.web.report import Report


@app_utilization(
    "/users/{user_id}",
    may=READ_PERSON,
    about=user_named("user_id", registers=("users", "departments")),
)
def handler(_: NothingAsked, user: User, usage: Usage) -> Report[ClientUser]:
    presence = usage.last_active([user.ordinal])
    answer = ClientUser.of(user, presence[user.ordinal], usage.directory)
    return Report(answer, lambda: [answer])
