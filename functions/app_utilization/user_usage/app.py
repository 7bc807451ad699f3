"""GET /v2/clients/{client_id}/users/{user_id}/usage: one user across all products."""

from odometer.access.policy import READ_PERSON
from odometer.api.app_utilization.family import app_utilization
from odometer.api.app_utilization.users import person_usage
from odometer.web.endpoint import user

handler = app_utilization("/users/{user_id}/usage", may=READ_PERSON, about=user("user_id"))(
    person_usage
)
