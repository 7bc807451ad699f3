"""`make check` finds a secret that somebody has put into a file, and shows it to nobody."""

import os
import subprocess
from pathlib import Path

import pytest

from odometer.access.keys import AccessKey
from tests.support.memory_directory import ACME
from tests.support.people import People, people_of
from tests.support.stack import Stack
from tools.secret_scan import MADE_UP, OURS, all_lines_ever, keys_of_ours, made_up

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".local/tools/policy/bin/python"


def scan(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """What the command says, in the environment in which `make check` runs it."""
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'layers/odometer'}:{ROOT}"}
    command = [f"{PYTHON}", "-m", "tools.secret_scan", *words]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)


KEY = str(AccessKey.make(ACME))
PLANTED = {
    "settings.py": f'id = "{KEY}"\nfallback = get("{KEY}")',
    "notes.md": f"Try it with `{KEY}`, it lasts.",
    "fixture.json": f'{{"id": "{KEY}"}}',
    "package-lock.json": f'{{"resolved": "https://registry.example/?{KEY}"}}',
    "swagger.yaml": f"example: {KEY}  # pragma: allowlist secret",
    "no-suffix": KEY,
}


def test_a_key_of_ours_is_found_wherever_it_stands_and_is_not_shown(tmp_path: Path) -> None:
    for name, text in PLANTED.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "aws.env").write_text("AWS_ACCESS_KEY_ID=AKIA" + "QYLPMN5HFIQR7XYA\n")
    (tmp_path / "key.pem").write_text("-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq\n")
    said = scan(*(str(path) for path in tmp_path.iterdir()))
    assert said.returncode == 1
    found = {line.split(": ")[0].rpartition("/")[2] for line in said.stdout.splitlines()}
    ours = {f"{name}:1" for name in PLANTED}
    assert found >= {*ours, "settings.py:2", "aws.env:1", "key.pem:2"}
    assert KEY not in said.stdout + said.stderr
    assert "AKIA" not in said.stdout + said.stderr
    assert "end it where it opens something" in said.stderr


@pytest.fixture
def us(stack: Stack) -> People:
    return people_of(stack, ACME)


def test_an_embed_token_is_found_and_the_form_of_a_key_is_not_one(us: People) -> None:
    token, wrong = us.token(), KEY[:-1] + ("a" if KEY[-1] != "a" else "b")
    text = f"{wrong}\nodo_2wxEOYwVMGUgflh9O6PvCK67A74XYug3vh_…\nsrc='{token}'\n"
    assert [(each.line, each.kind) for each in keys_of_ours("page.html", text)] == [(3, OURS)]


def test_what_was_removed_is_found_in_the_history_and_in_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, out = tmp_path / "repository", tmp_path / "out"
    repository.mkdir()
    monkeypatch.chdir(repository)
    git("init", "--quiet", "--initial-branch=main")
    for text in (f"key = {KEY}\n++ b/elsewhere\n", "key = none\n"):
        Path("a file").write_text(text)
        git("add", ".")
        git("commit", "--quiet", "--message", f"Say {len(text)}")
    git("switch", "--quiet", "--create", "other")
    git("commit", "--quiet", "--allow-empty", "--message", f"It is {KEY}")
    git("switch", "--quiet", "main")
    assert all_lines_ever(out) == ["a file", "commit messages"]
    assert (out / "a file").read_text() == f"key = none\nkey = {KEY}\n++ b/elsewhere"
    assert KEY in (out / "commit messages").read_text()


def git(*words: str) -> None:
    who = ("-c", "user.name=demo", "-c", "user.email=demo@example.com")
    subprocess.run(["/usr/bin/env", "git", *who, *words], check=True)


def test_make_check_looks_at_what_is_tracked_and_make_secrets_at_what_ever_was() -> None:
    makefile = (ROOT / "Makefile").read_text()
    check = makefile.partition("\ncheck: ")[2].partition("\n\n")[0]
    assert "-m tools.secret_scan\n" in check
    assert "-m tools.secret_scan --history\n" in makefile


def test_every_exception_says_why() -> None:
    assert [each for each in made_up() if len(each.why.split()) < 3] == []
    whole = [each.paths.pattern for each in made_up() if not each.digests]
    written = ("tests/", "measured", MADE_UP.stem)
    assert all(any(part in each for part in written) for each in whole)
