"""What GitHub runs: commands that exist, actions by their digest, no right that is not needed."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import invoke
from local.deployment import PYTHON
from local.template import read

WORKFLOWS = sorted(Path(".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", Path("Makefile").read_text(), re.MULTILINE))
LAYER = Path("layers/odometer/Makefile").read_text()
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}|\./\.github/workflows/[\w-]+\.yml")


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(path.read_text())["jobs"])


def steps() -> Iterator[dict[str, Any]]:
    for path in WORKFLOWS:
        for job in jobs(path).values():
            yield from job.get("steps", [])


def test_every_command_is_one_that_this_repository_has() -> None:
    commands = "\n".join(step.get("run", "") for step in steps())
    assert set(re.findall(r"make --no-print-directory (\S+)", commands)) <= TARGETS
    assert "make " not in commands.replace("make --no-print-directory", "").replace(
        "by make lock", ""
    )
    assert all(Path(path).exists() for path in re.findall(r"\.ci/\w+", commands))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_named_by_its_digest(path: Path) -> None:
    used = re.findall(r"uses: (\S+)", path.read_text())
    assert used
    assert [each for each in used if not PINNED.fullmatch(each)] == []


def test_an_action_has_one_digest() -> None:
    used = re.findall(r"uses: (\S+)@(\w+) # (\S+)", "".join(path.read_text() for path in WORKFLOWS))
    assert len(set(used)) == len({name for name, _, _ in used})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_right_to_write_belongs_to_a_job_that_says_so(path: Path) -> None:
    given = yaml.safe_load(path.read_text())["permissions"]
    assert "write" not in str(given)


def test_only_who_deploys_gets_a_token_of_aws_and_only_in_an_environment() -> None:
    every = {path.stem: jobs(path) for path in WORKFLOWS}
    deploying = {
        (name, job)
        for name, its in every.items()
        for job, content in its.items()
        if "id-token" in content.get("permissions", {})
    }
    environments = {("deploy", "dev"), ("deploy", "staging"), ("deploy", "prod")}
    assert deploying == environments | {("promote", "promote")}
    assert every["promote"]["promote"]["environment"] == "${{ inputs.environment }}"


def test_what_was_built_once_goes_from_dev_to_staging_to_prod() -> None:
    deploy = jobs(Path(".github/workflows/deploy.yml"))
    digest = "${{ needs.build.outputs.digest }}"
    promoted = {name: job["with"] for name, job in deploy.items() if "with" in job}
    assert promoted == {
        name: {"environment": name, "digest": digest} for name in ("dev", "staging", "prod")
    }
    needs = [deploy[name]["needs"] for name in ("build", "dev", "staging", "prod")]
    assert needs == ["check", "build", ["build", "dev"], ["build", "staging"]]
    commands = "".join(
        step.get("run", "")
        for step in jobs(Path(".github/workflows/promote.yml"))["promote"]["steps"]
    )
    assert not re.search(r"\b(build|artefact)\b", commands)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_expression_stands_in_a_command(path: Path) -> None:
    """What is put into a shell as text is run by it, so that values come by the environment."""
    for job in jobs(path).values():
        assert not [step["run"] for step in job.get("steps", []) if "${{" in step.get("run", "")]


def test_the_rights_to_deploy_last_as_long_as_the_job() -> None:
    job = jobs(Path(".github/workflows/promote.yml"))["promote"]
    (seconds,) = [
        step["with"]["role-duration-seconds"]
        for step in job["steps"]
        if "configure-aws-credentials" in step.get("uses", "")
    ]
    role = read("infrastructure/deployer.yaml")["Resources"]["Role"]["Properties"]
    assert job["timeout-minutes"] * 60 <= seconds <= role["MaxSessionDuration"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_ends(path: Path) -> None:
    for name, job in jobs(path).items():
        assert "uses" in job or job["timeout-minutes"] <= 90, name


def test_python_is_that_of_the_layer_and_the_image_that_of_the_test() -> None:
    (version,) = re.findall(r"^LAYER_PYTHON \?= (\S+)$", LAYER, re.MULTILINE)
    chosen = [
        step["with"]["python-version"] for step in steps() if "setup-python" in step.get("uses", "")
    ]
    assert set(chosen) == {version}
    image = invoke.IMAGE.replace(PYTHON, version).replace(invoke.ARCHITECTURE, "x86_64")
    assert (
        f"docker pull --quiet {image}\n" in Path(".github/workflows/check.yml").read_text() + "\n"
    )


def test_dependabot_keeps_the_actions_and_no_lock_file() -> None:
    content = yaml.safe_load(Path(".github/dependabot.yml").read_text())
    assert [each["package-ecosystem"] for each in content["updates"]] == ["github-actions"]


def test_who_deploys_an_environment_makes_roles_of_its_stack_and_of_no_other() -> None:
    stacks = tomllib.loads(Path("samconfig.toml").read_text())
    role = read("infrastructure/deployer.yaml")["Resources"]["Role"]["Properties"]
    (policy,) = role["Policies"]
    granted = [each["Resource"]["Fn::Sub"] for each in policy["PolicyDocument"]["Statement"]]
    assert {name.rpartition("/")[2] for name in granted} == {"odometer-${Environment}-*"}
    for environment in ("dev", "staging", "prod"):
        assert (
            stacks[environment]["global"]["parameters"]["stack_name"] == f"odometer-{environment}"
        )


READ_BY_CLOUDFORMATION = {
    "AWS::IAM::Role": {
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
    },
    "AWS::IAM::ManagedPolicy": {
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListEntitiesForPolicy",
    },
}
"""What its handlers ask for with the rights of whoever deploys, as their published schemas say."""


def test_who_deploys_may_do_what_cloudformation_does_with_roles_and_policies() -> None:
    role = read("infrastructure/deployer.yaml")["Resources"]["Role"]["Properties"]
    (policy,) = role["Policies"]
    granted = {verb for each in policy["PolicyDocument"]["Statement"] for verb in each["Action"]}
    for kind, verbs in READ_BY_CLOUDFORMATION.items():
        assert verbs - granted == set(), kind


def test_a_job_takes_the_role_of_its_environment_only() -> None:
    role = read("infrastructure/deployer.yaml")["Resources"]["Role"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": {
                "Fn::Sub": "repo:${Repository}:environment:${Environment}"
            },
        }
    }
