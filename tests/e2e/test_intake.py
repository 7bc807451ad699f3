"""Many events at once over HTTP: all of them count, and each of them once."""

import gzip
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Fresh
from tests.support.live_deployment import Deployment
from tests.support.usage_sender import ago, usage_event

PATIENCE_SECONDS = 120
SETTLED_SECONDS = 3


def test_the_same_event_sent_a_thousand_times_over_sixteen_connections_counts_once(
    deployment: Deployment, fresh: Fresh
) -> None:
    event = usage_event("once", source="thousandfold")
    with ThreadPoolExecutor(16) as pool:
        replies = list(
            pool.map(
                lambda _: deployment.send("POST", "/v1/events", fresh.key, json=event), range(1000)
            )
        )
    assert {reply.status_code for reply in replies} == {202}
    assert counted(deployment, fresh, "thousandfold", 1) == 1
    time.sleep(SETTLED_SECONDS)  # whatever was still on its way has come by now
    assert counted(deployment, fresh, "thousandfold", 1) == 1


def test_two_imports_of_one_file_at_once_lose_and_double_nothing(
    deployment: Deployment, fresh: Fresh, tmp_path: Path
) -> None:
    events = [
        usage_event(f"{n}", source="import", subject=f"user-{n % 50}", time=ago(minutes=n % 600))
        for n in range(5000)
    ]
    files = [written(tmp_path / name, events) for name in ("one.ndjson", "two.ndjson")]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda file: imported(deployment, fresh, file), files))
    assert [each["accepted"] for each in done] == [5000, 5000]
    assert counted(deployment, fresh, "import", 5000) == 5000


def test_a_body_in_gzip_is_unpacked_before_it_is_read(deployment: Deployment, fresh: Fresh) -> None:
    """By the gateway, which also refuses what it cannot unpack, and what is too large then."""
    body = json.dumps([usage_event(f"{n}", source="packed") for n in range(3)]).encode()
    packed = gzip.compress(body)
    bodies = (packed, packed[:-20], body, gzip.compress(bytes(11 * 2**20)))
    replies = [
        deployment.send(
            "POST",
            "/v1/events",
            fresh.key,
            content=each,
            headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
        )
        for each in bodies
    ]
    assert [reply.status_code for reply in replies] == [202, 415, 415, 413]
    assert replies[0].json()["accepted"] == 3


def written(path: Path, events: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def imported(deployment: Deployment, fresh: Fresh, file: Path) -> Any:
    """What the command says that became of a file."""
    done = deployment.odometer("import", str(file), "--json", key=fresh.key)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def counted(deployment: Deployment, fresh: Fresh, source: str, expected: int) -> int:
    """How many events of a source count, as soon as it is as many as expected."""
    gives_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = deployment.get("/v1/coverage?product=automation", fresh.key)
        assert answer.status_code == 200, answer.text
        (product,) = answer.json()["products"]
        sources = {each["source"]: each["events"] for each in product["sources"]}
        if sources.get(source) == expected or time.monotonic() > gives_up_at:
            return int(sources.get(source, 0))
        time.sleep(0.5)
