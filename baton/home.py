"""The directory that holds all of one Baton: data, logs, keys, and the `env` file that other programs read."""

from __future__ import annotations

import os
import secrets
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from baton.errors import OperatorError
from baton.stack import running
from shared.kit.names import parse

TENANTS = {"northstar": "DEMO", "hinode": "HINODE", "olist": "OLIST"}  # tenant -> prefix of its names in `env`
DEMO_TENANTS = ("northstar", "hinode")
SERVER_NAMES = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL")
INGEST_NAMES = ("INGEST_URL", "INGEST_ADMIN_TOKEN")  # where operators' orders to ingest go
SECRET_NAMES = (
    "IDENTITY_SECRET",
    "INGEST_ADMIN_TOKEN",
    "DEMO_WEBHOOK_SECRET",
    *(f"{p}_{kind}" for p in TENANTS.values() for kind in ("WRITE_KEY", "SERVER_WRITE_KEY", "IMPORT_KEY", "API_TOKEN")),
)


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one directory."""

    path: Path

    @property
    def env(self) -> Path:
        """URLs, ports and demo keys; there only while Baton runs and everything is ready."""
        return self.path / "env"

    @property
    def secrets(self) -> Path:
        """Write keys and secrets that policies name as `env:NAME`; ingest reads it again within 10 s of a change."""
        return self.path / "secrets"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def inbox(self) -> Path:
        """What the reps of the demo were told, message after message."""
        return self.path / "inbox"

    @property
    def spool(self) -> Path:
        """Where ingest keeps events while Kafka or Redis is away."""
        return self.path / "spool"


def here() -> Home:
    """The directory that BATON_HOME names, else `.baton`."""
    return Home(Path(os.environ.get("BATON_HOME") or ".baton").absolute())


def read_names(path: Path) -> dict[str, str]:
    """The NAME=value lines of a file. Raises FileNotFoundError."""
    return parse(path.read_text())


def write_names(path: Path, names: Mapping[str, str], comment: str) -> None:
    """Write NAME=value lines that only the owner may read, all of them or nothing."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(f"# {comment}\n")
        out.writelines(f"{name}={value}\n" for name, value in names.items())
    part.replace(path)


def keys(home: Home) -> dict[str, str]:
    """The secrets of this Baton, made at random at its first start and kept ever since; new names are added."""
    known = read_names(home.secrets) if home.secrets.exists() else {}
    missing = [name for name in SECRET_NAMES if name not in known]
    if missing:
        known |= {name: _new_secret(name) for name in missing}
        home.path.mkdir(parents=True, exist_ok=True)
        write_names(home.secrets, known, "Made at random at the first start. IDENTITY_SECRET decides all ids: keep it.")
    return known


def _new_secret(name: str) -> str:
    if name == "IDENTITY_SECRET":
        return secrets.token_hex(32)
    if name.endswith("WEBHOOK_SECRET"):
        return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"  # as Standard Webhooks write theirs
    return f"{'bt' if name.endswith('TOKEN') else 'wk'}_{secrets.token_urlsafe(24)}"


class Names(dict[str, str]):
    """NAME -> value; asking for a name that is not known is told to the operator in a sentence."""

    def __missing__(self, name: str) -> str:
        raise OperatorError(f"{name} is not known: start Baton with `baton up`, or set BATON_HOME to where it runs")


def environment(home: Home) -> Names:
    """The names of the Baton that runs in `home`; servers that the environment names come first, and do without a home.

    Raises OperatorError when there are none.
    """
    given = {name: os.environ[name] for name in (*SERVER_NAMES, *INGEST_NAMES) if os.environ.get(name)}
    try:
        found = read_names(home.env)
    except FileNotFoundError:
        if given:
            return Names(given)
        raise OperatorError(
            f"no Baton is ready in {home.path}: start it with `baton up` (or `make run`), or set BATON_HOME to where it runs"
        ) from None
    except PermissionError:
        raise OperatorError(f"{home.env} may not be read: it belongs to whoever started Baton") from None
    if not given and (home.path / "state.json").exists() and not running(home.path):
        raise OperatorError(
            f"the Baton in {home.path} was killed and left its `env` behind: start it again with `baton up` (or `make run`)"
        )
    return Names(found | given)


def all_names(home: Home) -> dict[str, str]:
    """All that policies may refer to as `env:NAME` here: of this process, and of the Baton in `home`, which comes first."""
    return {**os.environ, **_kept(home)}


def only_here(home: Home) -> set[str]:
    """The names of this process that a Baton which runs in `home` need not have; none where none does."""
    return os.environ.keys() - _kept(home).keys() if home.env.exists() else set()


def _kept(home: Home) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in (home.env, home.secrets):
        with suppress(FileNotFoundError, PermissionError):
            found |= read_names(path)
    return found


def token_of(names: Mapping[str, str], tenant: str) -> str:
    """The API token of `tenant`. Raises OperatorError for a tenant without one."""
    return _key_of(names, tenant, "API_TOKEN")


def write_key_of(names: Mapping[str, str], tenant: str, *, trusted: bool = False) -> str:
    """A write key of `tenant`, of a trusted source if asked. Raises OperatorError for a tenant without one."""
    return _key_of(names, tenant, "SERVER_WRITE_KEY" if trusted else "WRITE_KEY")


def _key_of(names: Mapping[str, str], tenant: str, kind: str) -> str:
    prefix = TENANTS.get(tenant, tenant.upper().replace("-", "_"))
    key = names.get(f"{prefix}_{kind}")
    if key is None:
        raise OperatorError(
            f"there is no {prefix}_{kind} for the tenant `{tenant}`: known tenants are {', '.join(TENANTS)}"
        )
    return key
