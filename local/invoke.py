"""One function, one event, a real container: `make invoke-usage-metrics-team CASE=unknown`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.deployment import SAM
from local.lambda_image import ARCHITECTURE, IMAGE, VERSION, make
from local.record import REGION

BUILT = Path(".local/invoke")


def main(slug: str, case: str = "") -> None:
    event = Path(f"events/{slug}.{case}.json")
    if not event.exists():
        cases = sorted(path.name.split(".")[1] for path in Path("events").glob(f"{slug}.*.json"))
        sys.exit(f"No {event}. Cases of {slug}: {', '.join(cases) or 'none'}")
    if reason := why_not():
        sys.exit(f"Not invoked: {reason}")
    have_image()
    build()
    name = "".join(word.capitalize() for word in slug.split("-"))
    template = ("--template", str(BUILT / "template.yaml"))
    sam(
        "local",
        "invoke",
        name,
        *template,
        "--event",
        str(event),
        "--skip-pull-image",
        *parameters(),
    )


def why_not() -> str:
    """Why no container can run here; empty when one can."""
    if not shutil.which("docker"):
        return "`sam local invoke` needs a container engine, and there is no `docker` on the PATH."
    asked = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    return "" if asked.returncode == 0 else f"no container engine answers: {asked.stderr.strip()}"


def have_image() -> None:
    """The public image if it can be had, else one made of this machine's Python."""
    for attempt in ("image inspect", "pull --quiet"):
        command = ["docker", *attempt.split(), IMAGE]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return
    make()


def build() -> None:
    sam("build", "--build-dir", str(BUILT), *parameters(), quiet=True)


def parameters() -> tuple[str, ...]:
    runtime = f"PythonRuntime=python{VERSION}"
    return ("--parameter-overrides", runtime, f"Architecture={ARCHITECTURE}", "--region", REGION)


def sam(*arguments: str, quiet: bool = False) -> None:
    """Run SAM without credentials: with made-up ones it would wait for AWS to refuse them."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "LAYER_PYTHON": VERSION,
        "LAYER_ARCH": ARCHITECTURE,
        "SAM_CLI_TELEMETRY": "0",
    }
    done = subprocess.run([SAM, *arguments], env=environment, capture_output=quiet, check=False)
    if done.returncode:
        sys.exit((done.stderr or b"").decode() or done.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
