"""The examples of the README run, in their order, as they stand there."""

import re
from pathlib import Path
from unittest.mock import patch

import httpx
import pytest

from clients.python.tests.conftest import URL, InProcess, Served
from odometer_client import Client, Meter
from tests.support.usage_sender import run

README = Path(__file__).parents[1] / "README.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)


def test_the_examples_run_and_what_they_count_can_be_asked_for(
    served: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ODOMETER_URL", URL)
    monkeypatch.setenv("ODOMETER_KEY", served.key)
    monkeypatch.chdir(tmp_path)
    api = InProcess(served.stack)

    async def answer(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        return api.handle_request(request)

    with (
        patch.object(
            httpx.HTTPTransport, "handle_request", lambda _, each: api.handle_request(each)
        ),
        patch.object(httpx.AsyncHTTPTransport, "handle_async_request", answer),
    ):
        assert len(EXAMPLES) == 6
        names: dict[str, object] = {}
        for text in EXAMPLES:
            example = text.replace("/tmp/odometer", str(tmp_path / "lambda"))  # noqa: S108  a word of the example
            exec(compile(example, str(README), "exec"), names)  # noqa: S102  our own examples
        call, meter = names["handler"], names["meter"]
        assert callable(call)
        assert isinstance(meter, Meter)
        call({}, None)
        meter.close()
        run("fold")
        usage = Client().usage(product="chat,code-completions", period="today")
    assert usage.totals["interactions"].value == 2
    assert usage.totals["completions"].value == 3
    assert "400 invalid_parameter period" in capsys.readouterr().out
