"""What a new process imports and builds until it has answered: counted, for no clock is exact."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.loopback import served_on_loopback
from tests.support.memory_directory import ACME
from tests.support.stack import ENVIRONMENT, ROOT, admin_of, proxy_event, stack_on_moto

APPS = sorted((ROOT / "functions").glob("*/*/app.py"))
HEAVY = (
    "_strptime",
    "asyncio",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "email",
    "multiprocessing",
    "numpy",
    "s3transfer",
    "unittest",
    "urllib3",
    "xml",
    "zipfile",
)
"""Nobody needs these to answer, and each costs a new process more than a millisecond."""

PROBE = """
import gc, importlib.util, json, sys
import odometer
from types import SimpleNamespace

def models(of):
    return [each for one in of.__subclasses__() for each in (one, *models(one))]

def is_built(model):
    return model.__pydantic_complete__ and not model.__pydantic_generic_metadata__["parameters"]

def built():
    shapes = sys.modules.get("odometer.web.models")
    of_ours = shapes and [each for base in (shapes.Query, shapes.Body, shapes.Answer) for each in models(base)]
    return sorted({each.__name__ for each in of_ours or () if is_built(each)})

def seen(**more):
    heavy = sorted({name.partition(".")[0] for name in sys.modules} & set(asked["heavy"]))
    heavy += sorted(name for name in sys.modules if name in asked.get("ours", ()))
    return {"heavy": heavy, "built": built(), **more}

def looks():
    return sum(each["collections"] for each in gc.get_stats())

def certificates():
    trust = sys.modules["odometer.storage.trust"]
    amazon = trust.certificates(trust.AMAZON)  # as it was read, if it was
    return [trust.certificates.cache_info().misses, len(amazon.get_ca_certs())]

def has_room():
    return gc.get_threshold()[0] > 1.5 * gc.get_count()[0]

before = looks()
asked, found = json.load(sys.stdin), []
for path in asked["apps"]:
    spec = importlib.util.spec_from_file_location("app", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found.append(seen())
    if "event" in asked:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 28_000)
        answer = module.handler(asked["event"], context)
        found.append(seen(status=answer["statusCode"], looks=looks() - before, has_room=has_room(), certificates=certificates()))
print(json.dumps(found))
"""  # noqa: E501


def probed(environment: dict[str, str], **asked: Any) -> Any:
    path = str(ROOT / "layers" / "odometer")
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**environment, "PATH": os.environ["PATH"], "PYTHONPATH": path},
        input=json.dumps({"heavy": HEAVY, **asked}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_no_function_imports_what_is_heavy_or_builds_a_model_before_it_is_asked() -> None:
    found = probed({}, apps=list(map(str, APPS)))
    assert found == [{"heavy": [], "built": []}] * len(APPS)


def test_no_function_that_answers_requests_imports_what_writes_readings() -> None:
    answering = [str(app) for app in APPS if app.parts[-3] != "engine"]
    found = probed({}, apps=answering, ours=["odometer.engine.write", "odometer.services.engine"])
    assert found == [{"heavy": [], "built": []}] * len(answering)


ORGANIZATION = ("usage_metrics/organization", "/api/v1/organization", ["OrganizationAnswer"])
JUNE = "from=2026-06-01%2000:00:00&to=2026-06-30%2023:59:59"
SUMMARY = (
    "usage_report/summary",
    f"/insights/api/v3/public/usage-report/summary?type=account-user&timezone=%2B00:00&{JUNE}",
    [
        "OrganizationName",
        "ProductTotals",
        "SummaryAnswer",
        "SummaryData",
        "SummaryMetadata",
        "SummaryProduct",
        "SummaryQuery",
    ],
)


@pytest.mark.engine
@pytest.mark.parametrize(("function", "url", "models"), [ORGANIZATION, SUMMARY])
def test_the_first_answer_needs_no_botocore_no_look_for_garbage_and_only_its_own_models(
    function: str, url: str, models: list[str]
) -> None:
    with stack_on_moto() as stack, served_on_loopback() as address:
        key = admin_of(stack, ACME)
        environment = {
            **ENVIRONMENT,
            "AWS_LAMBDA_FUNCTION_NAME": "organization",
            "AWS_ENDPOINT_URL": address.url,
            "AWS_CA_BUNDLE": str(address.certificates),
        }
        event = proxy_event("GET", url, {"authorization": f"Bearer {key}"})
        app: Path = ROOT / "functions" / function / "app.py"
        _, answered = probed(environment, apps=[str(app)], event=event)
    assert answered == {
        "heavy": [],
        "built": models,
        "status": 200,
        "looks": 0,
        "has_room": True,
        "certificates": [1, 5 + 1],  # those of Amazon, and of this server
    }
