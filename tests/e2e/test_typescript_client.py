"""What the README of `@odometer/client` shows works against a deployment."""

import re
from pathlib import Path

import pytest

from tests.support.javascript import node
from tests.support.live_deployment import Deployment
from tests.support.stack import ROOT

CLIENT = ROOT / "clients" / "typescript"
README = (CLIENT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```js\n(.*?)```", README, re.DOTALL)
PRINTED = ("[0-9]", "", "[0-9]+ of [0-9]+", "", "404 not_found team: not found")


@pytest.mark.parametrize("number", range(len(PRINTED)))
def test_an_example_works(deployment: Deployment, tmp_path: Path, number: int) -> None:
    assert len(EXAMPLES) == len(PRINTED)
    written = tmp_path / "example.mjs"
    here = f"from '{(CLIENT / 'index.js').as_uri()}'"
    written.write_text(EXAMPLES[number].replace("from '@odometer/client'", here))
    names = {"ODOMETER_URL": deployment["BASE_URL"], "ODOMETER_KEY": deployment["ADMIN_TOKEN"]}
    assert re.search(PRINTED[number], node(written, env=names))
