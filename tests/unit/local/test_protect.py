"""A production stack is protected from deletion after each deployment, and no other one is."""

import json
from pathlib import Path
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber

from local import protect

STACK = "odometer-prod"


def protected(monkeypatch: pytest.MonkeyPatch, home: Path, *overrides: str, code: str = "") -> bool:
    """Whether the stack of an environment is asked to be protected; AWS may refuse with a code."""
    config = home / "samconfig.toml"
    config.write_text(
        f'[prod.global.parameters]\nstack_name = "{STACK}"\nregion = "eu-central-1"\n'
        f"[prod.deploy.parameters]\nparameter_overrides = {json.dumps(overrides)}\n"
    )
    stacks = boto3.client(
        "cloudformation", "eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    aws = Stubber(stacks)  # it checks every parameter as AWS describes it
    aws.add_client_error("describe_stacks", "ValidationError")
    asked = {"StackName": STACK, "EnableTerminationProtection": True}
    if code:
        aws.add_client_error("update_termination_protection", code, expected_params=asked)
    else:
        aws.add_response("update_termination_protection", {"StackId": STACK}, asked)
    monkeypatch.setattr(protect, "CONFIG", config)
    session = SimpleNamespace(client=lambda _: stacks)
    monkeypatch.setattr(protect, "signed_in", lambda _: session)
    with aws:
        protect.main("prod")
        try:
            aws.assert_no_pending_responses()
        except AssertionError:
            return False
        return True


def test_production_alone_is_protected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not protected(monkeypatch, tmp_path, "Stage=dev")
    assert protected(monkeypatch, tmp_path, "Stage=prod", "Production=true")


def test_whoever_may_not_protect_a_stack_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert protected(monkeypatch, tmp_path, "Production=true", code="AccessDenied")
    assert f"WARNING: the stack {STACK} can be deleted" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["deploy", "promote"])
def test_every_way_to_deploy_protects_the_stack(target: str) -> None:
    recipe = Path("Makefile").read_text().partition(f"\n{target}: ")[2].partition("\n\n")[0]
    assert recipe.endswith("-m local.protect $(ENV)")
