"""What is shipped, as a CycloneDX bill of materials, and under which licences: `make sbom`.

Versions come from the lock files, licences from the metadata of the very same versions. The same
locks make the same files, byte for byte. A licence that nobody has allowed ends it.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from odometer import __version__

ALLOWED: Final = frozenset(
    {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "PSF-2.0", "Unlicense"}
)
"""Licences that ask for a notice at most. Another one is a decision, and then a word here."""
LICENCES_IN_OLD_WORDS: Final = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
    "MIT License": "MIT",
}
"""What packages said before licences had expressions."""
UNDERSTOOD: Final = ALLOWED.union(LICENCES_IN_OLD_WORDS.values())
LAYER: Final = Path("layers/odometer/requirements.txt")
NPM: Final = Path("requirements/js/package-lock.json")
VENDORED: Final = Path("functions/edge/page/files/vendor/LICENSES.md")
CLIENTS: Final = (Path("clients/python/pyproject.toml"), Path("clients/typescript/package.json"))
LOCKED: Final = re.compile(r"^([\w.-]+)==([^\s;\\]+)", re.MULTILINE)
HOME: Final = Path(".local/sbom")


@dataclass(frozen=True, order=True)
class Component:
    """A package that is shipped: where in, under which licence, and what it needs itself."""

    part: str
    name: str
    version: str
    licence: str
    registry: str

    @property
    def purl(self) -> str:
        name = self.name.replace("@", "%40")
        return f"pkg:{self.registry}/{name}" + (f"@{self.version}" if self.version else "")

    @property
    def is_allowed(self) -> bool:
        named = set(re.findall(r"[\w.+-]+", self.licence)) - {"AND", "OR"}
        return bool(named) and named <= ALLOWED

    def as_item(self) -> dict[str, Any]:
        single = " " not in self.licence
        licence = {"license": {"id": self.licence}} if single else {"expression": self.licence}
        version = {"version": self.version} if self.version else {}
        return {
            "type": "library",
            "bom-ref": self.purl,
            "name": self.name,
            **version,
            "purl": self.purl,
            "licenses": [licence],
            "properties": [{"name": "odometer:part", "value": self.part}],
        }


def main() -> None:
    components = sorted(shipped())
    HOME.mkdir(parents=True, exist_ok=True)
    bill, licences = HOME / "odometer.cdx.json", HOME / "licences.md"
    bill.write_text(json.dumps(bill_of(components), indent=2) + "\n")
    licences.write_text(table_of(components))
    if refused := [f"{each.name}: {each.licence}" for each in components if not each.is_allowed]:
        sys.exit("Licences that tools/sbom.py does not allow:\n" + "\n".join(refused))
    sys.stdout.write(f"{len(components)} packages: {bill}, {licences}\n")


def shipped() -> Iterator[Component]:
    yield from packages_of_the_layer()
    yield from libraries_of_the_page()
    yield from clients()


def packages_of_the_layer() -> Iterator[Component]:
    for name, version in LOCKED.findall(LAYER.read_text()):
        if metadata.version(name) != version:
            sys.exit(f"{name} {version} is locked, {metadata.version(name)} is here: make lock")
        yield Component("layer", name, version, licence_of(name), "pypi")


def libraries_of_the_page() -> Iterator[Component]:
    locked = json.loads(NPM.read_text())["packages"]
    for name in sorted(set(re.findall(r"npm `([^`]+)`", VENDORED.read_text()))):
        found = locked[f"node_modules/{name}"]
        yield Component("page", name, found["version"], found["license"], "npm")


def clients() -> Iterator[Component]:
    """Both clients, and what an application installs with one, in a version of its own choice."""
    python = tomllib.loads(CLIENTS[0].read_text())["project"]
    script = json.loads(CLIENTS[1].read_text())
    yield Component("clients", python["name"], python["version"], python["license"], "pypi")
    yield Component("clients", script["name"], script["version"], script["license"], "npm")
    for requirement in python["dependencies"]:
        name = re.split(r"[^\w.-]", requirement)[0]
        yield Component("clients", name, "", licence_of(name), "pypi")
    for name in script.get("dependencies", {}):
        sys.exit(f"{name} is needed by {CLIENTS[1]}, which promises that it needs nothing")


def licence_of(package: str) -> str:
    """The licence of an installed package, as an expression."""
    return licence_in(metadata.metadata(package))


def licence_in(told: metadata.PackageMetadata) -> str:
    if told["License-Expression"]:
        return str(told["License-Expression"])
    classifiers = [each for each in told.get_all("Classifier", []) if each.startswith("License ::")]
    words = [told["License"] or "", *(each.rpartition(" :: ")[2] for each in classifiers)]
    known = [LICENCES_IN_OLD_WORDS.get(word, word) for word in words]
    return next(
        (each for each in known if each in UNDERSTOOD), " ".join(words).strip() or "unknown"
    )


def bill_of(components: list[Component]) -> dict[str, Any]:
    """It tells no time and no serial number, so that the same locks make the same bill."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    name = project["name"]
    root = {"type": "application", "bom-ref": name, "name": name, "version": __version__}
    needs = [each.purl for each in components]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**root, "licenses": [{"license": {"id": project["license"]}}]}},
        "components": [each.as_item() for each in components],
        "dependencies": [{"ref": name, "dependsOn": needs}],
    }


def table_of(components: list[Component]) -> str:
    head = (
        "# Licences of what is shipped\n\n| in | package | version | licence |\n|---|---|---|---|\n"
    )
    rows = (
        f"| {it.part} | {it.name} | {it.version or 'any that fits'} | {it.licence} |\n"
        for it in components
    )
    return head + "".join(rows)


if __name__ == "__main__":
    main()
