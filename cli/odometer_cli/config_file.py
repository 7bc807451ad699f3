"""The configuration file: deployments by name, each with its address and its key.

use = "production"

[deployments.production]
url = "https://usage.example.com"
key_command = "pass show odometer"
"""

import os
import re
import shlex
import stat
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from odometer_cli.failure import Misused, Refused

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
USE, DEPLOYMENTS = "use", "deployments"
PATIENCE_SECONDS: Final = 120
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Entry:
    """A deployment of the file: where it is, and how its key is got."""

    url: str | None = None
    stack: str | None = None
    home: str | None = None
    """Of a local stack, whose address changes."""
    key: str | None = field(default=None, repr=False)
    key_command: str | None = None

    @classmethod
    def of(cls, name: str, content: Any) -> Self:
        known = {each.name for each in fields(cls)}
        if not isinstance(content, dict) or not all(isinstance(it, str) for it in content.values()):
            raise fault(f"{DEPLOYMENTS}.{name}: expected texts")
        if unknown := sorted(set(content) - known):
            raise fault(f"{DEPLOYMENTS}.{name}: {', '.join(unknown)} is unknown")
        return cls(**content)

    @property
    def where(self) -> str:
        places = (self.url, self.stack and f"stack {self.stack}", self.home and f"in {self.home}")
        return ", ".join(filter(None, places))

    @property
    def how_key(self) -> str:
        """How the key is got, without the key."""
        return "stored" if self.key else "by command" if self.key_command else "none"

    def read_key(self) -> str | None:
        """The key, from the file or from whatever its command prints."""
        if self.key is None and self.key_command:
            return printed_key(self.key_command)
        return self.key


def printed_key(command: str) -> str:
    """The first line that a command prints; it may ask its questions on the terminal."""
    try:
        done = subprocess.run(  # noqa: S603  the command is the user's own
            shlex.split(command), stdout=subprocess.PIPE, timeout=PATIENCE_SECONDS, check=False
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise Misused(f"key_command does not run: {error}", f"Correct it in {path()}.") from error
    lines = done.stdout.decode(errors="replace").split()
    if done.returncode or not lines:
        message = f"key_command ended with {done.returncode} and gave no key."
        raise Misused(message, f"Run it by hand: {command}")
    return lines[0]


@dataclass(frozen=True)
class ConfigFile:
    """What the file says."""

    use: str | None = None
    entries: Mapping[str, Entry] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Self:
        """The file, or an empty one where there is none."""
        content = content_of_file()
        if unknown := sorted(set(content) - {USE, DEPLOYMENTS}):
            raise fault(f"{', '.join(unknown)} is unknown")
        deployments = content.get(DEPLOYMENTS, {})
        if not isinstance(deployments, dict):
            raise fault(f"{DEPLOYMENTS}: expected a table for each deployment")
        entries = {name: Entry.of(name, it) for name, it in deployments.items()}
        if any(each.key for each in entries.values()):
            refuse_shared()
        return cls(content.get(USE), entries)

    def entry(self, name: str) -> Entry:
        if name in self.entries:
            return self.entries[name]
        known = ", ".join(self.entries)
        remedy = f"Give one of {known}." if known else "Add it: odometer config add"
        raise Misused(f"{path()} has no deployment {name}.", remedy)

    @property
    def in_use(self) -> Entry | None:
        return self.entry(self.use) if self.use else None


def path() -> Path:
    if named := os.environ.get("ODOMETER_CONFIG"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "odometer" / "config.toml"


def content_of_file() -> dict[str, Any]:
    try:
        return tomllib.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise fault(str(error)) from error


def refuse_shared() -> None:
    """Refuse keys that others on this machine may read."""
    if os.name == "posix" and path().stat().st_mode & OTHERS:
        message = f"Others may read the keys in {path()}."
        raise Misused(message, f"Keep them to yourself: chmod 600 {shlex.quote(str(path()))}")


def fault(words: str) -> Misused:
    return Misused(f"{path()} cannot be used: {words}", "Correct it, or remove it.")


def checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise Misused(f"{name} is no name.", "Give up to 64 letters, digits, dots and dashes.")
    return name


def refuse_taken_name(name: str) -> None:
    if checked_name(name) in ConfigFile.read().entries:
        raise Refused(f"There is a deployment {name} already.", "Give --replace, or another name.")


def put_entry(name: str, entry: Entry, *, replace: bool = False) -> bool:
    """Write a deployment down; true if it is the one in use, as the first one is."""
    if not replace:
        refuse_taken_name(name)
    config = ConfigFile.read()
    given = {each.name: getattr(entry, each.name) for each in fields(entry)}
    use = config.use or name

    def change(document: Any) -> None:
        document[USE] = use
        document.setdefault(DEPLOYMENTS, {})[checked_name(name)] = {
            key: value for key, value in given.items() if value
        }

    write(change)
    return use == name


def use_entry(name: str) -> None:
    ConfigFile.read().entry(name)
    write(lambda document: document.update({USE: name}))


def remove_entry(name: str) -> None:
    config = ConfigFile.read()
    config.entry(name)

    def change(document: Any) -> None:
        del document[DEPLOYMENTS][name]
        if config.use == name:
            del document[USE]

    write(change)


def write(change: Any) -> None:
    """Change the file as a whole, for its owner alone, and keep its comments."""
    import tomlkit

    file = path()
    document = tomlkit.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    change(document)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(tomlkit.dumps(document))
        new.replace(file.resolve())
    finally:
        new.unlink(missing_ok=True)
