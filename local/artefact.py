"""Pack what `make build` made into one file with a digest, and unpack it where it is deployed.

`python -m local.artefact pack` prints the digest, which is the same for the same files wherever
they are built; `python -m local.artefact unpack DIGEST` refuses any other file.
"""

import gzip
import shutil
import sys
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from local.deployment import files_in

FILE = Path(".aws-sam/odometer.tar.gz")
UNPACKED = Path(".aws-sam/artefact")
BUILT = Path(".aws-sam/build")
NAMED_BY_THE_TEMPLATE = ("functions", "infrastructure")
"""What needs no build: the built template leads to these folders of the checkout."""
MODES = {True: 0o755, False: 0o644}
YEAR_2000 = 946_684_800  # a ZIP, which SAM makes of it, knows no time before 1980


def pack(root: Path = Path()) -> str:
    """Write every file in order, without whatever differs from machine to machine."""
    if not (root / BUILT / "template.yaml").exists():
        sys.exit("Nothing is built: make build")
    packed = root / FILE
    with (
        packed.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for path in sorted(parts_of(root)):
            add(archive, path, path.relative_to(root).as_posix())
    return digest_of(packed)


def parts_of(root: Path) -> Iterator[Path]:
    """All that was built, bytecode included, and what the built template names beside it."""
    yield from (path for path in (root / BUILT).rglob("*") if path.is_file())
    for folder in NAMED_BY_THE_TEMPLATE:
        yield from files_in(root / folder)


def add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.mtime = YEAR_2000
    entry.size = path.stat().st_size
    entry.mode = MODES[bool(path.stat().st_mode & 0o100)]
    with path.open("rb") as content:
        archive.addfile(entry, content)


def unpack(digest: str, root: Path = Path()) -> None:
    """Replace what was unpacked before by the file of this digest."""
    packed = root / FILE
    if not packed.exists():
        sys.exit(f"There is no {FILE}: make artefact, or fetch the one to promote")
    if (found := digest_of(packed)) != digest:
        sys.exit(f"Not deployed: {FILE} is {found}, and {digest or 'no DIGEST'} was asked for")
    shutil.rmtree(root / UNPACKED, ignore_errors=True)
    with tarfile.open(packed) as archive:
        archive.extractall(root / UNPACKED, filter="data")


def digest_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pack"]:
            print(pack())
        case ["unpack", digest]:
            unpack(digest)
        case _:
            sys.exit(__doc__)
