"""One release in a process of its own: a line of JSON calls a function, another one answers.

It is packed together with a release, so that a later one can call its functions in the same way.
"""

import importlib.util
import json
import sys
from contextlib import redirect_stdout
from dataclasses import is_dataclass, replace
from datetime import datetime
from functools import cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from odometer import triggers

HOME = Path(__file__).parents[2]
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 29_000)


def main() -> None:
    wire = sys.stdout
    for line in sys.stdin:
        with redirect_stdout(StringIO()) as log:
            answer = answer_of(**json.loads(line))
        said = {"answer": answer, "log": log.getvalue().splitlines(), "package": triggers.__file__}
        print(json.dumps(said), file=wire, flush=True)


def answer_of(function: str, event: Any, now: str) -> Any:
    """Call a function as Lambda calls it, at a time of our choice."""
    at, handler = datetime.fromisoformat(now), handler_of(function)
    if is_dataclass(handler):
        handler = replace(handler, clock=lambda: at)  # type: ignore[type-var]
    with patch.object(triggers, "datetime", SimpleNamespace(now=lambda _: at)):
        return handler(event, CONTEXT)


@cache
def handler_of(function: str) -> Any:
    path = HOME / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(function.replace("/", "_"), path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


if __name__ == "__main__":
    main()
