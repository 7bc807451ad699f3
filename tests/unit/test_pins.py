"""Whatever code comes from elsewhere is named by its hash; what cannot be is named here."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import environments
from local.template import read

LOCKS = [*sorted(Path("requirements").glob("*.txt")), Path("layers/odometer/requirements.txt")]
NPM_LOCKS = sorted(Path("requirements").glob("*/package-lock.json"))
PINNED_BY_HASH = re.compile(r"([\w.-]+)==[\w.!+-]+(?: ; .+?)?((?: --hash=sha256:[0-9a-f]{64})+)")
INSTALLS = re.compile(
    r"\b(?:"
    r"(?:uv )?(?:pip3?|pipx) (?:install|sync|download|wheel)"
    r"|uvx|uv (?:run|tool|python install|sync|add)"
    r"|(?:npm|pnpm|yarn) (?:install|i|ci|add|exec|update)|npx|corepack (?:enable|use|prepare)"
    r"|(?:curl|wget) [^\n;]*https?:/|urlretrieve|git clone [^\n;]*(?:https?:|git@)|gh extension"
    r"|apt-get install|apk add|brew install|playwright install"
    r"|(?:docker|podman) (?:pull|run|build)|(?:cargo|go|gem) install"
    r")(?!\w)[^\n;]*"
)
"""Whatever brings code to a machine, as it stands in a command."""
ARGUED = {
    "apt-get install -qq -y --no-install-recommends": "Debian signs its packages",
    "docker pull --quiet public.ecr.aws/lambda/python": "it must be what Lambda runs now",
    "uv pip install --quiet --no-deps --no-build-isolation": "our own, built by a locked tool",
    "pip install options -r requirement.name": "uv itself; a test below reads the options",
    "npm ci --silent $ NPM_FLAGS": "lock files with integrity, and no scripts",
    "npm update --package-lock-only": "changes a lock file and installs nothing",
    "uv python install": "words of a message, and the test of it",
    "docker pull IMAGE": "words of a message too",
    "docker pull --quiet image": "the test that it is Lambda's",
    "apt-get install chromium": "words of a message",
}
"""How a command may begin that names no hash itself, and why."""
TRACKED = ("git", "ls-files")


def as_words(text: str) -> str:
    """A program's text with its commands as a shell would have them, lists of words too."""
    joined = re.sub(r"\\\n\s*|\n(?=\s*[\"'])", " ", text)
    return re.sub(r"[ \t]+", " ", re.sub(r"[\[\](){}\"'`,*]+", " ", joined))


def unpinned(text: str) -> list[str]:
    """The commands that bring code which no hash names and nobody has argued."""
    found = [each.strip() for each in INSTALLS.findall(as_words(text))]
    named = [each for each in found if "--require-hashes" not in each]
    return [each for each in named if not each.startswith(tuple(ARGUED))]


def files_that_run() -> Iterator[Path]:
    """Everything that is run here, on a developer's machine, in CI or by AWS; documents are not."""
    listed = subprocess.run(TRACKED, capture_output=True, text=True, check=True)
    endings = {".py", ".sh", ".mk", ".yml", ".yaml", ".toml"}
    for name in listed.stdout.splitlines():
        path = Path(name)
        runs = path.suffix in endings or not path.suffix
        if runs and "vendor" not in path.parts and path != Path(__file__).relative_to(Path.cwd()):
            yield path


def test_no_command_brings_code_that_no_hash_names() -> None:
    files = list(files_that_run())
    assert {Path("Makefile"), Path(".ci/run"), Path("layers/odometer/Makefile")} <= set(files)
    found = {path: commands for path in files if (commands := unpinned(path.read_text()))}
    assert found == {}


def test_every_argued_command_is_still_there() -> None:
    every = "\n".join(as_words(path.read_text()) for path in files_that_run())
    assert [each for each in ARGUED if each not in every] == []


@pytest.mark.parametrize(
    "planted",
    [
        "pip install left-pad",
        "\t@$(BIN)/uv pip install --python $(BIN)/python left-pad==1.3.0",
        "uvx ruff check",
        "uv tool run bandit",
        "      - run: npm install --silent left-pad@1.3.0",
        "npx esbuild entry.js",
        'command = [npm, "install", "--silent", "--prefix", str(HOME), PACKAGE]',
        'run("uv", "pip",\n    "install", name)',
        "curl -fsSL https://example.com/install.sh | sh",
        "git clone https://example.com/tool",
        "docker run --rm example/tool:latest",
        "playwright install chromium",
    ],
)
def test_a_command_that_brings_code_by_name_is_found(planted: str) -> None:
    assert len(unpinned(f"all:\n{planted}\n")) == 1


@pytest.mark.parametrize("lock", LOCKS, ids=str)
def test_every_package_of_python_is_named_by_its_hash(lock: Path) -> None:
    lines = lock.read_text().replace(" \\\n   ", "").splitlines()
    assert lines
    assert [each for each in lines if not PINNED_BY_HASH.fullmatch(each)] == []


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=str)
def test_every_package_of_npm_is_named_by_its_hash(lock: Path) -> None:
    packages = json.loads(lock.read_text())["packages"]
    found = {name: each for name, each in packages.items() if name}
    assert found
    assert [name for name, each in found.items() if not is_named_by_hash(each)] == []


def is_named_by_hash(package: dict[str, Any]) -> bool:
    """By SHA-512, and from the registry: an address would be fetched whatever the registry says."""
    return package.get("integrity", "").startswith("sha512-") and "resolved" not in package


def test_python_packages_are_installed_by_hash_and_none_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that has nothing but Python, and for each environment after that."""
    commands: list[str] = []
    monkeypatch.setattr(
        environments, "run", lambda *words: commands.append(" ".join(map(str, words)))
    )
    monkeypatch.setattr(Path, "exists", lambda _: False)
    (tmp_path / ".venv").mkdir()
    environments.main(str(tmp_path / ".venv"), "requirements/dev.txt")
    first, *_, last = [each for each in commands if re.search(r"\bpip\b", each)]
    assert re.search(r"pip install .*--require-hashes --only-binary=:all: -r ", first)
    assert re.search(r"uv pip sync .*--require-hashes --no-build .*requirements/dev\.txt$", last)
    assert not [each for each in commands if "pip" in each and "--require-hashes" not in each]


def test_the_layer_is_installed_by_hash_and_nothing_of_it_is_built() -> None:
    words = as_words(Path("layers/odometer/Makefile").read_text())
    (command,) = re.findall(r"uv pip install .*", words)
    for option in ("--only-binary :all:", "--require-hashes", "--no-deps", "-r requirements.txt"):
        assert option in command


def test_npm_runs_no_script_of_a_package() -> None:
    makefile = Path("Makefile").read_text()
    (flags,) = re.findall(r"^NPM_FLAGS := (.+)$", makefile, re.MULTILINE)
    assert "--ignore-scripts" in flags.split()
    assert re.findall(r"npm (ci|update) .*", makefile) == re.findall(
        r"npm (ci|update) .*\$\(NPM_FLAGS\)", makefile
    )


def test_our_own_package_is_built_by_the_tool_that_is_locked() -> None:
    for path in ("pyproject.toml", "clients/python/pyproject.toml"):
        (named,) = tomllib.loads(Path(path).read_text())["build-system"]["requires"]
        assert f"\n{named} \\\n" in Path("requirements/dev.txt").read_text(), path


def test_hooks_of_git_come_from_no_other_repository() -> None:
    repositories = yaml.safe_load(Path(".pre-commit-config.yaml").read_text())["repos"]
    assert {each["repo"] for each in repositories} == {"local"}


def test_functions_carry_no_image_and_no_layer_of_somebody_else() -> None:
    for path in ("template.yaml", *map(str, Path("infrastructure").glob("*.yaml"))):
        content = read(path)
        layers = content.get("Globals", {}).get("Function", {}).get("Layers", [])
        assert all(each == {"Ref": "Layer"} for each in layers), path
        functions = [
            each["Properties"]
            for each in content["Resources"].values()
            if each["Type"] in ("AWS::Serverless::Function", "AWS::Lambda::Function")
        ]
        taken = [key for each in functions for key in ("Layers", "ImageUri") if key in each]
        assert taken == [], path
