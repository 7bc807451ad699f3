"""The container image that `sam local` runs a function in, put together from this machine's Python.

Needed only where the public image cannot be pulled. It is the runtime reduced to what a Python
function meets: the interpreter under /var/lang, Lambda's runtime client under /var/runtime, and the
few programs that SAM calls when it adds its emulator and our layer.
"""

import io
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
IMAGE = f"public.ecr.aws/lambda/python:{VERSION}-{ARCHITECTURE}"
PROGRAMS = ("sh", "bash", "mv", "cp", "rm", "chmod", "mkdir", "ls", "cat", "env")
# Loaded by name at run time, so that no program's list of libraries mentions them.
STUBS = (
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libresolv.so.2",
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libgcc_s.so.1",
)
LEFT_OUT = {
    "__pycache__",
    "dist-packages",
    "ensurepip",
    "idlelib",
    "site-packages",
    "test",
    "tkinter",
}
ENVIRONMENT = {
    "PATH": "/var/lang/bin:/usr/bin:/bin",
    "PYTHONHOME": "/var/lang",
    "LD_LIBRARY_PATH": "/var/lang/lib",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "LANG": "C.UTF-8",
}
BOOTSTRAP = """#!/bin/sh
exec /var/lang/bin/python3 /var/runtime/start.py
"""
START = """import os, sys
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], "/opt/python", "/var/runtime"]
from awslambdaric.__main__ import main
main([sys.argv[0], os.environ["_HANDLER"]])
"""


def make() -> str:
    """Assemble the image and hand it to the container engine. Its name."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lay_out(root)
        changes = [f"ENV {name}={value}" for name, value in ENVIRONMENT.items()]
        changes += ["WORKDIR /var/task", 'ENTRYPOINT ["/var/runtime/bootstrap"]']
        command = ["docker", "import", *(f"--change={change}" for change in changes), "-", IMAGE]
        subprocess.run(command, input=packed(root), stdout=subprocess.DEVNULL, check=True)
    return IMAGE


def lay_out(root: Path) -> None:
    """The file system of the image."""
    for folder in ("tmp", "opt", "dev", "proc", "sys", "etc", "usr/bin", "var/task", "var/rapid"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    lay_out_python(root / "var/lang")
    lay_out_runtime(root / "var/runtime")
    (root / "bin").mkdir()
    for program in PROGRAMS:
        shutil.copy(str(shutil.which(program)), root / "bin" / program)
    (root / "usr/bin/env").symlink_to("/bin/env")
    (root / "etc/passwd").write_text("root:x:0:0:root:/tmp:/bin/sh\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    for library in libraries(path for path in root.rglob("*") if is_elf(path)):
        place(root, library)


def lay_out_python(home: Path) -> None:
    """This interpreter and its standard library."""
    executable = Path(sys.base_prefix, "bin", f"python{VERSION}").resolve()
    (home / "bin").mkdir(parents=True)
    shutil.copy(executable, home / f"bin/python{VERSION}")
    (home / "bin/python3").symlink_to(f"python{VERSION}")
    standard = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(
        standard,
        home / f"lib/python{VERSION}",
        ignore=lambda _, names: (
            LEFT_OUT & set(names) | {n for n in names if n.startswith("config-")}
        ),
    )
    for shared in Path(str(sysconfig.get_config_var("LIBDIR"))).glob(f"libpython{VERSION}.so*"):
        shutil.copy(shared, home / "lib")


def lay_out_runtime(home: Path) -> None:
    """Lambda's runtime client, and what starts it."""
    home.mkdir()
    client = ["uv", "pip", "install", "--quiet", "--target", str(home), "--require-hashes"]
    subprocess.run(
        [*client, "--python", sys.executable, "-r", "requirements/image.txt"], check=True
    )
    (home / "start.py").write_text(START)
    (home / "bootstrap").write_text(BOOTSTRAP)
    (home / "bootstrap").chmod(0o755)


def libraries(programs: Iterable[Path]) -> Iterator[Path]:
    """The shared libraries that the programs need, the loader included."""
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    needed = {Path(found) for found in re.findall(r"(?m)(?:=> |^\s+)(/(?:usr/)?lib\S+)", listed)}
    beside = {library.parent for library in needed}
    stubs = {folder / stub for folder in beside for stub in STUBS if (folder / stub).exists()}
    yield from sorted(needed | stubs)


def place(root: Path, library: Path) -> None:
    """Copy a library to the very path that it has here."""
    target = root / library.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(library, target)


def is_elf(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def packed(root: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(root, arcname=".", filter=owned_by_root)
    return buffer.getvalue()


def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


if __name__ == "__main__":
    print(make())
