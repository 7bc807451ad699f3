"""Every kind of credential at every family's door, over HTTP; the whole matrix runs in process."""

import httpx
import pytest

from tests.support.live_deployment import Deployment

CREDENTIALS = (
    *("ADMIN_TOKEN", "MANAGER_TOKEN", "TEAMLEAD_TOKEN", "MEMBER_TOKEN", "INGEST_TOKEN"),
    *("EXPIRED_TOKEN", "REVOKED_TOKEN", "odo_malformed", "", "OTHER_ADMIN_TOKEN"),
)
ROUTES = {
    "/api/v1/organization": (200, 200, 403, 403, 403, 401, 401, 401, 401, 200),
    "/api/v1/team/{TEAM_ID}": (200, 200, 200, 200, 403, 401, 401, 401, 401, 404),
    "/api/v1/team/{TEAM_ID}/users?offset=0&limit=1": (
        *(200, 200, 200, 403, 403),
        *(401, 401, 401, 401, 404),
    ),
    "/api/v1/user/{USER_ID}": (200, 200, 200, 200, 403, 401, 401, 401, 401, 404),
    "/v1/directory/export": (200, 403, 403, 403, 403, 401, 401, 401, 401, 200),
    "/v1/keys": (200, 200, 200, 200, 403, 401, 401, 401, 401, 200),
}
UNAUTHORIZED = {
    "/api/v1/organization": (
        'Bearer realm="odometer"',
        {
            "error": "UNAUTHORIZED",
            "message": "Unauthorized – Invalid token.",
            "status": 401,
            "requestId": "e2e-401",
            "details": {"errors": []},
        },
    ),
    "/v1/keys": (
        'Bearer realm="odometer", Basic realm="odometer"',
        {
            "error": {
                "code": "unauthorized",
                "message": "Authentication required",
                "details": {},
            }
        },
    ),
}


@pytest.mark.parametrize("route", ROUTES)
def test_each_credential_opens_what_its_role_and_scopes_open(
    deployment: Deployment, route: str
) -> None:
    path = route.format(**deployment.names)
    answers = {each: deployment.get(path, each) for each in CREDENTIALS}
    assert {each: answer.status_code for each, answer in answers.items()} == dict(
        zip(CREDENTIALS, ROUTES[route], strict=True)
    )


@pytest.mark.parametrize("route", UNAUTHORIZED)
def test_who_is_not_known_learns_how_to_be_in_the_words_of_the_family(
    deployment: Deployment, route: str
) -> None:
    answer = deployment.get(route, "REVOKED_TOKEN", headers={"X-Request-Id": "e2e-401"})
    assert (challenge(answer), answer.json()) == UNAUTHORIZED[route]


def challenge(answer: httpx.Response) -> str:
    """What a 401 asks for; API Gateway on AWS gives the header another name."""
    renamed = "x-amzn-remapped-www-authenticate"
    return str(answer.headers.get("www-authenticate") or answer.headers[renamed])


def test_a_member_sees_nobody_but_themselves(deployment: Deployment) -> None:
    others = "/v1/keys"
    owners = {row["user"] for row in deployment.get(others, "MEMBER_TOKEN").json()["keys"]}
    assert owners == {deployment["USER_ID"]}
    wanted = {"name": "mine", "user": deployment["OTHER_USER_ID"], "scopes": ["usage:read"]}
    assert deployment.send("POST", "/v1/keys", "MEMBER_TOKEN", json=wanted).status_code == 403
