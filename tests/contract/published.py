"""The answers of the three published APIs as JSON schemas, written by hand from their documents.

Nothing here comes from Odometer, so that a mistake in its models cannot repeat itself here.
"""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]


def record(fields: Mapping[str, Schema], /, **more: Schema) -> Schema:
    """An object with exactly these fields."""
    properties = {**fields, **more}
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def optional(schema: Schema, *names: str) -> Schema:
    """The same object, in which some fields may be absent."""
    return {**schema, "required": [name for name in schema["required"] if name not in names]}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def one_of(*schemas: Schema) -> Schema:
    return {"oneOf": schemas}


def text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$"}


def words(*values: str) -> Schema:
    return {"type": "string", "enum": values}


def nullable(schema: Schema) -> Schema:
    return one_of(schema, {"type": "null"})


STRING: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
FRACTION: Schema = {"type": "number", "minimum": 0, "maximum": 1}
DAY = text("[0-9]{4}-[0-9]{2}-[0-9]{2}")
SECONDS = text("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{3})?Z")
MILLISECONDS = text("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z")
WALL_CLOCK = text("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
OFFSET = text("[+-][0-9]{2}:[0-9]{2}")
NAMED = record({"id": STRING, "name": STRING})

# usage report

TESTED = {"totalTests": COUNT, "totalDuration": COUNT}
SEEN = {"totalScreenshots": COUNT}
TEST_PRODUCTS = ("automation", "app-automation", "hyperexecute", "realtime", "realdevice")
ECHO = {
    "type": words("account-user", "service-user"),
    "totalUsers": COUNT,
    "from": WALL_CLOCK,
    "to": WALL_CLOCK,
    "timezone": OFFSET,
    "organization": NAMED,
    "partial": {"const": True},
}
PAGINATION = record({"limit": COUNT, "page": COUNT, "total": COUNT, "totalPages": COUNT})
PERSON = {"id": STRING, "username": STRING, "email": STRING}


def success(**data: Schema) -> Schema:
    return record({"status": {"const": "success"}, "data": record(data)})


def drilldown(product: Schema, totals: Mapping[str, Schema], row: Mapping[str, Schema]) -> Schema:
    """One shape of the answer: which measures it has depends on the product."""
    metadata = record(ECHO, **totals, product=product, pagination=PAGINATION)
    return success(metadata=optional(metadata, "partial"), users=array(record(PERSON, **row)))


REPORT = "/insights/api/v3/public/usage-report"
USAGE_REPORT: Mapping[str, Schema] = {
    f"{REPORT}/summary": success(
        metadata=optional(record(ECHO), "partial"),
        products=record(dict.fromkeys(TEST_PRODUCTS, record(TESTED)), smartui=record(SEEN)),
    ),
    f"{REPORT}/drilldown": one_of(
        drilldown(words(*TEST_PRODUCTS), TESTED, {"totalTestsRun": COUNT, "totalDuration": COUNT}),
        drilldown({"const": "smartui"}, SEEN, SEEN),
    ),
}

# usage metrics

ROLE = words("Admin", "Manager", "TeamLead", "Member")
META = record(
    {"count": COUNT, "total": COUNT, "next": nullable(record({"limit": COUNT, "offset": COUNT}))}
)
USER = record(
    {
        "id": STRING,
        "username": STRING,
        "email": STRING,
        "role": ROLE,
        "verified": FLAG,
        "deactivatedAt": nullable(SECONDS),
        "updatedAt": nullable(SECONDS),
    }
)
USERS = record({"data": array(USER), "meta": META})
BLOCK = record(
    {
        "from": SECONDS,
        "to": SECONDS,
        "activeUsers": COUNT,
        "productivityFactor": FRACTION,
        "codeCompletions": record(
            {
                "activeUsers": COUNT,
                "completions": COUNT,
                "charsCompleted": COUNT,
                "keystrokes": COUNT,
                "lines": COUNT,
                "automationFactor": FRACTION,
            }
        ),
        "chat": record(
            {
                "activeUsers": COUNT,
                "interactions": COUNT,
                "usefulChatInteractions": COUNT,
                "lines": COUNT,
                "charsCompleted": COUNT,
                "chatConsumptionRate": FRACTION,
            }
        ),
    }
)
USAGE = {
    "organizationId": STRING,
    "from": SECONDS,
    "to": SECONDS,
    "usage": record(
        {"granularity": words("all", "daily", "weekly", "monthly"), "data": array(BLOCK)}
    ),
}
MONTH = record(
    {
        "year": {"type": "integer", "minimum": 1970, "maximum": 2999},
        "month": {"type": "integer", "minimum": 0, "maximum": 11},
        "registered": COUNT,
        "deactivated": COUNT,
        "active": COUNT,
        "pending": COUNT,
    }
)
LICENSE = record(
    {
        "exp": COUNT,
        "iat": COUNT,
        "seats": COUNT,
        "seatsCap": COUNT,
        "audience": STRING,
        "features": array(STRING),
        "settings": {"type": "object"},
    }
)
ORGANIZATION = record(
    {
        "id": STRING,
        "name": STRING,
        "publicKey": STRING,
        "samlEnabled": FLAG,
        "smtpConfigured": FLAG,
        "usernamePasswordEnabled": FLAG,
        "domains": array(STRING),
        "planType": STRING,
    }
)
USER_DETAILS = record(
    {
        "organization_id": STRING,
        "user_id": STRING,
        "email": STRING,
        "role": ROLE,
        "createdAt": SECONDS,
        "updatedAt": SECONDS,
    }
)
TEAM_ROW = record({"id": STRING, "name": STRING, "usersCount": COUNT, "isDefaultTeam": FLAG})
USAGE_METRICS: Mapping[str, Schema] = {
    "/api/v1/organization": ORGANIZATION,
    "/api/v1/organization/teams": record({"data": array(TEAM_ROW), "meta": META}),
    "/api/v1/organization/account-utilizations": array(MONTH),
    "/api/v1/organization/usage": record(USAGE),
    "/api/v1/organization/users": USERS,
    "/api/v1/license": record({"license": LICENSE}),
    "/api/v1/instance/permissions": array(record({"username": STRING, "organizationId": STRING})),
    "/api/v1/team/{teamId}/users": USERS,
    "/api/v1/team/account-utilizations": record(
        {"registered": COUNT, "deactivated": COUNT, "invited": COUNT}
    ),
    "/api/v1/team/{teamId}": NAMED,
    "/api/v1/team/usage": record(USAGE, teamId=STRING),
    "/api/v1/user/{user_id}": record(
        {
            "user": USER_DETAILS,
            "teams": one_of(record({"team_id": STRING, "team_name": STRING}), record({})),
        }
    ),
    "/api/v1/user/usage": record(USAGE, userId=STRING),
}

# app utilization

PERIOD = record(
    {
        "start_date": DAY,
        "end_date": DAY,
        "compare_start_date": nullable(DAY),
        "compare_end_date": nullable(DAY),
    }
)
METRIC = record(
    {"value": COUNT, "change_pct": nullable(NUMBER), "compare_value": nullable(COUNT)},
)
METRICS = dict.fromkeys(
    ("unique_users", "active_time_ms", "avg_time_ms_per_day", "session_count"), METRIC
)
ACTIVITY = record(dict.fromkeys(("at", "desktop_at", "web_at"), nullable(MILLISECONDS)))
REFERENCE = {"id": STRING, "username": STRING, "user_key": STRING, "last_activity": ACTIVITY}
KNOWN_USER = record(
    REFERENCE, departments=array(NAMED), created_at=MILLISECONDS, updated_at=MILLISECONDS
)


def page(row: Schema, **more: Schema) -> Schema:
    """A page of rows and the cursor of the next one."""
    return record(more, data=array(row), total_count=COUNT, next_cursor=nullable(STRING))


APPS = "/v2/clients/{client_id}/analytics/apps"
USED_PRODUCT = record(
    {
        "product": record(
            {
                "id": STRING,
                "name": STRING,
                "kind": words("test", "visual", "completion", "chat", "app"),
            }
        ),
        "measures": {"type": "object", "minProperties": 1, "additionalProperties": COUNT},
        "days_active": COUNT,
    }
)
APP_UTILIZATION: Mapping[str, Schema] = {
    f"{APPS}/{{app_id}}/utilization/users": page(
        record({"user": record(REFERENCE), "avg_time_ms_per_day": METRIC, "days_active": COUNT}),
        period=PERIOD,
    ),
    f"{APPS}/{{app_id}}/utilization": record({"period": PERIOD}, **METRICS),
    f"{APPS}/{{app_id}}/activity": record(
        {
            "metric": words("active-time", "session-count", "user-count"),
            "label": words("Active time (ms)", "Sessions", "Users"),
            "period": record({"start": DAY, "end": DAY}),
            "data": array(record({"date": DAY, "value": COUNT})),
        }
    ),
    f"{APPS}/utilization": page(record(METRICS, app=NAMED), period=PERIOD),
    "/v2/clients/{client_id}/users": page(KNOWN_USER),
    "/v2/clients/{client_id}/users/{user_id}": KNOWN_USER,
    "/v2/clients/{client_id}/users/{user_id}/usage": record(
        {"period": PERIOD, "user": record(REFERENCE), "products": array(USED_PRODUCT)}
    ),
}

ANSWERS: Mapping[str, Schema] = {**USAGE_REPORT, **USAGE_METRICS, **APP_UTILIZATION}
"""The answer to a request without fault, by path."""

ERRORS: Mapping[str, Schema] = {
    "/insights/": record({"status": {"const": "error"}, "message": STRING}),
    "/api/v1/": record(
        {
            "error": text("[A-Z_]+"),
            "message": text("[A-Z].* – .*\\."),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "requestId": text(".+"),
            "details": record({"errors": array(STRING)}),
        }
    ),
    "/v2/": record(
        {
            "error": record(
                {"code": text("[a-z_]+"), "message": STRING, "details": {"type": "object"}}
            )
        }
    ),
}
"""The answer to a request with a fault, by how its path begins."""
