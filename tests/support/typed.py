"""Commands as they are typed, at whatever deployment the environment names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from odometer_cli import app


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def odometer(*words: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Said:
    done = CliRunner().invoke(app, words, env=dict(env or {}), input=stdin, catch_exceptions=False)
    return Said(done.exit_code, done.stdout, done.stderr)
