"""Install exactly the packages of some lock files in a virtual environment, with Python alone.

python3 local/environments.py .venv requirements/dev.txt
.venv/bin/python local/environments.py .local/tools/sam requirements/sam.txt
"""

import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST = (3, 11)


def main(home: str, *locks: str) -> None:
    refuse_what_cannot_work()
    environment = Path(home)
    sys.stdout.write(f"Installing {', '.join(locks)} into {home} …\n")
    sys.stdout.flush()
    uv = Path(".venv/bin/uv")
    if not uv.exists():
        seed(Path(".venv"), uv, Path("requirements/dev.txt"))
    python = environment / "bin/python"
    if not python.exists():
        run(uv, "venv", "--quiet", "--python", sys.executable, environment)
    # A source distribution would be built by tools that no lock file names.
    run(uv, "pip", "sync", "--quiet", "--require-hashes", "--no-build", "--python", python, *locks)
    (environment / ".ready").touch()


def refuse_what_cannot_work() -> None:
    version = "%d.%d" % sys.version_info[:2]  # noqa: UP031 - this line must also run where it refuses
    if sys.version_info < OLDEST:
        sys.exit(
            f"{sys.executable} is Python {version}; Odometer needs 3.11 or later. "
            "With another one at hand: make PYTHON=python3.12 …",
        )
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        sys.exit(
            f"{sys.executable} lacks venv. On Debian or Ubuntu: apt install python{version}-venv"
        )


def seed(environment: Path, uv: Path, lock: Path) -> None:
    """Install uv by pip, with the version and hash of the lock file; uv installs all else."""
    run(sys.executable, "-m", "venv", environment)
    pinned = re.search(r"^uv==.*?(?=^\S|\Z)", lock.read_text(), re.MULTILINE | re.DOTALL)
    if not pinned:
        sys.exit(f"{lock} names no uv")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirement:
        requirement.write(pinned.group())
        requirement.flush()
        options = (
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "--only-binary=:all:",
        )
        run(uv.with_name("pip"), "install", *options, "-r", requirement.name)


def run(*command: object) -> None:
    try:
        subprocess.run([str(word) for word in command], check=True)
    except subprocess.CalledProcessError as failure:
        sys.exit(f"failed: {' '.join(failure.cmd)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
