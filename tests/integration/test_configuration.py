"""Which deployment a command speaks to, and with which key: options, variables, files."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from local.stack import Stack as LocalRecord
from odometer_cli.commands import COMMANDS, loaded
from odometer_cli.config_file import ConfigFile
from odometer_cli.deployment import SETTINGS, Deployment, Place
from tests.support.in_process_client import ADDRESS, LOOPBACK, open_to_clients
from tests.support.memory_directory import ACME
from tests.support.stack import ENVIRONMENT, OTHER, admin_of, stack_on_moto
from tests.support.typed import Said, odometer

ELSEWHERE = "https://elsewhere.example"


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> Iterator[Path]:
    """A shell that knows of no deployment, far from any checkout."""
    file = tmp_path / "config" / "config.toml"
    unset = dict.fromkeys(SETTINGS, "")
    with (
        patch.dict(os.environ, {**unset, "ODOMETER_CONFIG": str(file)}),
        patch("odometer_cli.deployment.nearest_home", lambda _: None),
    ):
        yield file


@pytest.fixture(scope="module")
def both() -> Iterator[dict[str, str]]:
    """A deployment with two organizations, and the keys of their Admins."""
    with stack_on_moto() as stack, open_to_clients(stack):
        yield {name: admin_of(stack, name) for name in (ACME, OTHER)}


@pytest.fixture
def keys(both: dict[str, str]) -> Iterator[dict[str, str]]:
    """The keys, in a shell that has no variables of the deployment."""
    with patch.dict(os.environ, dict.fromkeys(SETTINGS, "")):
        yield both


def add(name: str, key: str, *words: str) -> Said:
    return odometer("config", "add", name, "--url", ADDRESS, "--key-file", "-", *words, stdin=key)


def organization(*words: str, **env: str) -> str:
    found: str = odometer(*words, "whoami", "--json", env=env).json["organization"]
    return found


def test_a_deployment_that_was_added_needs_no_words_any_more(
    keys: dict[str, str], file: Path
) -> None:
    said = add("acme", keys[ACME])
    assert (said.exit_code, said.out) == (0, f"acme is in {file}. It is in use.\n")
    whoami = odometer("whoami", "--json")
    assert (whoami.json["organization"], whoami.err) == (
        ACME,
        "This is acme, the deployment in use.\n",
    )
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (
        0o600,
        0o700,
    )


def test_options_come_before_variables_and_these_before_the_file(keys: dict[str, str]) -> None:
    add("acme", keys[ACME])
    assert "odometer config use other" in add("other", keys[OTHER]).out
    variables = {"ODOMETER_DEPLOYMENT": "other"}
    assert organization() == ACME
    assert organization(**variables) == OTHER
    assert organization("--deployment", "acme", **variables) == ACME
    assert organization(ODOMETER_KEY=keys[OTHER]) == OTHER
    assert organization("--key", keys[ACME], ODOMETER_KEY=keys[OTHER]) == ACME
    odometer("config", "use", "other")
    assert organization() == OTHER
    assert organization(ODOMETER_URL=ADDRESS, ODOMETER_TOKEN=keys[ACME]) == ACME


def test_a_key_of_the_file_goes_to_no_other_address(keys: dict[str, str]) -> None:
    add("acme", keys[ACME])
    for said in (
        odometer("--url", ELSEWHERE, "whoami"),
        odometer("whoami", env={"ODOMETER_URL": ELSEWHERE}),
    ):
        assert (said.exit_code, said.err.splitlines()[0]) == (2, "No access key was given.")


def test_no_key_is_ever_shown(keys: dict[str, str]) -> None:
    add("acme", keys[ACME])
    said = [
        odometer("config", "list"),
        odometer("config", "list", "--json"),
        add("acme", keys[ACME]),
        odometer("config", "remove", "acme"),
    ]
    assert all(keys[ACME] not in each.out + each.err for each in said)
    assert said[0].out.split() == ["name", "where", "key", "*", "acme", ADDRESS, "stored"]
    assert (said[2].exit_code, said[2].err.splitlines()[0]) == (
        1,
        "There is a deployment acme already.",
    )
    assert ConfigFile.read() == ConfigFile()
    assert keys[ACME] not in repr(ConfigFile.read())


def test_a_command_may_print_the_key(keys: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "my key").write_text(keys[ACME])
    odometer("config", "add", "a", "--url", ADDRESS, "--key-command", f"cat '{tmp_path}/my key'")
    assert organization() == ACME
    odometer("config", "add", "b", "--url", ADDRESS, "--key-command", "false")
    said = odometer("--deployment", "b", "whoami")
    assert (said.exit_code, said.err.splitlines()) == (
        2,
        ["key_command ended with 1 and gave no key.", "Run it by hand: false"],
    )


def test_a_file_with_keys_that_others_may_read_is_refused(keys: dict[str, str], file: Path) -> None:
    add("acme", keys[ACME])
    file.chmod(0o640)
    said = odometer("whoami")
    assert (said.exit_code, said.err.splitlines()) == (
        2,
        [f"Others may read the keys in {file}.", f"Keep them to yourself: chmod 600 {file}"],
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("use = ", "Invalid value"),
        ("colour = 'red'", "colour is unknown"),
        ("deployments = 7", "deployments: expected a table"),
        ("[deployments.a]\nuri = 'x'", "deployments.a: uri is unknown"),
        ("[deployments.a]\nurl = 7", "deployments.a: expected texts"),
        ("use = 'b'", "has no deployment b"),
    ],
)
def test_a_file_that_cannot_be_meant_is_named_with_what_is_wrong(
    file: Path, text: str, fault: str
) -> None:
    file.parent.mkdir()
    file.write_text(text)
    said = odometer("whoami")
    assert (said.exit_code, said.out, fault in said.err, str(file) in said.err) == (
        *(2, "", True, True),
    )


def test_comments_of_the_file_stay(file: Path, keys: dict[str, str]) -> None:
    file.parent.mkdir()
    file.write_text(f"# mine\n[deployments.here]  # at home\nurl = '{ELSEWHERE}'\n")
    add("acme", keys[ACME])
    odometer("config", "use", "here")
    text = file.read_text()
    assert ("# mine" in text, "# at home" in text, ConfigFile.read().use) == (True, True, "here")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("a b", "--url", ELSEWHERE), "a b is no name."),
        (("a",), "Nothing says where it is."),
        (("a", "--url", "ftp://x"), "ftp://x: no URL."),
        (("a", "--url", ELSEWHERE, "--home", "x"), "A local stack has no --url and no --stack."),
    ],
)
def test_what_cannot_be_added_is_said(words: tuple[str, ...], fault: str, file: Path) -> None:
    said = odometer("config", "add", *words)
    assert (said.exit_code, said.err.splitlines()[0], file.exists()) == (2, fault, False)


def test_a_mistyped_key_is_not_kept(file: Path) -> None:
    said = add("acme", "odo_nonsense")
    assert (said.exit_code, "checksum" in said.err, file.exists()) == (2, True, False)


@pytest.fixture
def home(tmp_path: Path, keys: dict[str, str]) -> Iterator[Path]:
    """A local stack that runs, with its demo."""
    home = tmp_path / ".local"
    home.mkdir()
    with patch("local.stack.aws_environment", lambda _: {}):
        LocalRecord("http://127.0.0.1:4566", 1, ADDRESS, {"DirectoryTable": "d"}).write(home)
    (home / "demo.env").write_text(f"# demo\nADMIN_TOKEN={keys[OTHER]}\n")
    with (
        patch("odometer_cli.local_stack.is_listening", lambda *_: True),
        patch("odometer_cli.local_stack.LOOPBACK", LOOPBACK),
    ):
        yield home


def test_a_local_stack_lends_the_key_of_its_demo(home: Path, keys: dict[str, str]) -> None:
    said = odometer("--home", str(home), "whoami", "--json", env=ENVIRONMENT)
    assert (said.json["organization"], said.err) == (OTHER, "With the key of the demo's Admin.\n")
    assert organization("--home", str(home), ODOMETER_KEY=keys[ACME], **ENVIRONMENT) == ACME


def test_a_kept_key_of_a_local_stack_comes_before_that_of_its_demo(
    home: Path, keys: dict[str, str]
) -> None:
    words = ("config", "add", "mine", "--home", str(home), "--key-file", "-")
    assert odometer(*words, stdin=keys[ACME]).exit_code == 0
    assert organization() == ACME
    assert organization("--home", str(home)) == ACME


def test_two_deployments_are_refused_where_they_come_from_one_place() -> None:
    said = odometer("--deployment", "a", "--url", ELSEWHERE, "whoami")
    assert (said.exit_code, said.err.splitlines()[0]) == (
        2,
        "--deployment and --stack or --url name two deployments.",
    )
    flags, variables = Place(url=ELSEWHERE), Place(stack="odometer-prod")
    assert Deployment.chosen((flags, variables), None).place == flags


def test_the_variables_that_name_tables_are_those_of_functions() -> None:
    assert set(SETTINGS) <= set(ENVIRONMENT)


def test_the_first_key_of_an_organization_can_be_kept_unseen(
    home: Path, keys: dict[str, str], file: Path
) -> None:
    words = ("organization", "create", "--admin-username", "me", "--name", "N", "--save", "mine")
    outputs = {name.title().replace("_", ""): ENVIRONMENT[name] for name in SETTINGS}
    with (
        patch("local.stack.aws_environment", lambda _: {}),
        patch("odometer_cli.local_stack.LocalStack.enter"),
    ):
        LocalRecord("http://127.0.0.1:4566", 1, ADDRESS, outputs).write(home)
        made = odometer("--home", str(home), *words, "--json")
        again = odometer("--home", str(home), *words)
    assert (made.exit_code, "odo_" in made.out + made.err) == (0, False)
    assert organization() == made.json["organization"]
    assert (again.exit_code, again.err.splitlines()[0]) == (
        1,
        "There is a deployment mine already.",
    )


# what is listed and completed


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_listed_of_a_command_is_what_it_says_of_itself(name: str) -> None:
    assert (loaded(name).help or "").split("\n\n")[0].replace("\n", " ") == COMMANDS[name].help


HEAVY = ("boto3", "httpx", "odometer.bootstrap", "pydantic", "rich.table", "tomlkit")
LOADED = f"""
import sys
from odometer_cli import app
try:
    app(["--help"], prog_name="odometer")
except SystemExit:
    sys.stderr.write(" ".join(name for name in {HEAVY} if name in sys.modules))
"""


def test_help_loads_nothing_that_it_does_not_show() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "organization" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_deployments(shell: str, file: Path) -> None:
    file.parent.mkdir()
    file.write_text(f"[deployments.production]\nurl = '{ELSEWHERE}'\n")
    assert "organization" in completed(shell, "odometer org")
    assert "production" in completed(shell, "odometer config use pro")


def completed(shell: str, line: str) -> str:
    """What is offered at the end of a line."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    typed = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    env = {**os.environ, **words, **typed, "_ODOMETER_COMPLETE": f"complete_{shell}"}
    command = "from odometer_cli import app; app(prog_name='odometer')"
    done = subprocess.run(
        [sys.executable, "-c", command], env=env, capture_output=True, text=True, check=False
    )
    return done.stdout
