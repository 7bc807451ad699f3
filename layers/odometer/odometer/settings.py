"""What a deployment tells its functions, read from the environment at first use."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Settings:
    """The names of one deployment's tables and of its secret."""

    directory_table: str
    usage_table: str
    log_table: str
    activity_table: str
    secret_id: str

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read every setting, naming all that are missing in one message."""
        source = os.environ if env is None else env
        values = {field.name: source.get(field.name.upper(), "") for field in fields(cls)}
        if missing := [name.upper() for name, value in values.items() if not value]:
            message = f"missing from the environment: {', '.join(missing)}"
            raise LookupError(message)
        return cls(**values)
