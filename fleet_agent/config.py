"""The agent's configuration: a TOML file, overridden by environment variables.

``FLEET_AGENT_CONFIG`` names the file; without it `DEFAULT_CONFIG_PATH` is read if it exists, and
otherwise the environment alone must say enough. It overrides the file, but for ``[containers]`` and
``[registries]``: what a device allows stands in its file alone.

===============  ==========================  =========================================
section          variable                    example
===============  ==========================  =========================================
``[agent]``      ``FLEET_AGENT_<KEY>``       ``FLEET_AGENT_DEVICE_ID=berlin-kiosk-017``
``[podman]``     ``FLEET_AGENT_PODMAN_SOCKET``
``[nats]``       ``FLEET_AGENT_NATS_<KEY>``  ``FLEET_AGENT_NATS_URLS=nats://a:4222,nats://b:4222``
``[credentials]``  ``FLEET_AGENT_CREDENTIALS_<KEY>``  ``FLEET_AGENT_CREDENTIALS_PASSWORD=…``
``[labels]``     ``FLEET_AGENT_LABELS``      ``site=berlin,ring=2`` (added to the file's)
===============  ==========================  =========================================

``FLEET_AGENT_NATS_URL`` is short for a single URL. What is unknown is refused, in the file and in
the environment alike, so that a slip of the pen is heard of.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from fleet_agent.config_model import (
    AgentConfig,
    AgentSection,
    ContainersSection,
    CredentialsSection,
    NatsSection,
    PodmanSection,
)
from fleet_core.contracts.base import field_path
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

CONFIG_VARIABLE: Final = "FLEET_AGENT_CONFIG"
DEFAULT_CONFIG_PATH: Final = Path("/etc/fleet-agent/config.toml")
MAX_CONFIG_BYTES: Final = 256 * 1024
_PREFIX: Final = "FLEET_AGENT_"


def load_config(environ: Mapping[str, str], file: Path | None = None) -> AgentConfig:
    """Read the file, let the environment override it, and check the whole.

    Raises:
        InvalidInputError: the file cannot be read or is not TOML, or a key is missing, unknown or
            wrong; the message names the file or variable, the key, and what was expected.
    """
    named = file or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if named is not None:
        tree, source = _read_toml(named), str(named)
    elif DEFAULT_CONFIG_PATH.exists():
        tree, source = _read_toml(DEFAULT_CONFIG_PATH), str(DEFAULT_CONFIG_PATH)
    else:
        tree, source = {}, f"environment (no {CONFIG_VARIABLE}, no {DEFAULT_CONFIG_PATH})"
    variables = _override(tree, environ)
    try:
        return AgentConfig.model_validate(tree)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise _refusal(detail, source, variables) from error


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise InvalidInputError(
            f"{file}: cannot be read: {error.strerror}",
            expected="a readable TOML file",
            remedy=f"mend {CONFIG_VARIABLE} or the file's permissions",
        ) from error
    if len(raw) > MAX_CONFIG_BYTES:
        raise InvalidInputError(
            f"{file}: larger than {MAX_CONFIG_BYTES} bytes", expected="a short TOML file"
        )
    try:
        return tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInputError(f"{file}: not TOML: {error}", expected="a TOML file") from error


def _override(tree: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Write the variables into the tree; return which variable stands behind which path."""
    variables: dict[str, str] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        override = _OVERRIDES.get(variable.removeprefix(_PREFIX))
        if override is None:
            known = ", ".join(_PREFIX + name for name in sorted(_OVERRIDES))
            raise InvalidInputError(
                f"{variable}: unknown variable: expected one of {known}",
                path=variable,
                expected=f"one of {known}",
            )
        section, key, parse = override
        branch = tree.setdefault(section, {})
        if not isinstance(branch, dict):
            continue  # the model refuses it by name
        value = parse(variable, text)
        if key:
            branch[key] = value
        else:
            branch.update(value)
        variables[f"{section}.{key}" if key else section] = variable
    return variables


def _as_text(_variable: str, text: str) -> str:
    return text


def _as_urls(_variable: str, text: str) -> list[str]:
    return [url.strip() for url in text.split(",")]


def _as_bool(variable: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise InvalidInputError(
            f"{variable}: expected true or false", path=variable, expected="true or false"
        )
    return text == "true"


def _as_number(variable: str, text: str) -> int | float:
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError as error:
        raise InvalidInputError(
            f"{variable}: expected a number", path=variable, expected="a number"
        ) from error


def _as_labels(variable: str, text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if not all(equals for _, equals, _ in pairs):
        raise InvalidInputError(
            f"{variable}: expected site=berlin,ring=2", path=variable, expected="key=value,…"
        )
    return {key.strip(): value.strip() for key, _, value in pairs}


_OVERRIDES: Final[dict[str, tuple[str, str, Callable[[str, str], Any]]]] = {
    "DEVICE_ID": ("agent", "device_id", _as_text),
    "RUNTIME_ENABLED": ("agent", "runtime_enabled", _as_bool),
    "RUNTIME": ("agent", "runtime", _as_text),
    "STATE_DIR": ("agent", "state_dir", _as_text),
    "PODMAN_SOCKET": ("podman", "socket", _as_text),
    "HEARTBEAT_INTERVAL_S": ("agent", "heartbeat_interval_s", _as_number),
    "DRIFT_INTERVAL_S": ("agent", "drift_interval_s", _as_number),
    "NATS_URL": ("nats", "urls", _as_urls),
    "NATS_URLS": ("nats", "urls", _as_urls),
    "NATS_CONNECT_TIMEOUT_S": ("nats", "connect_timeout_s", _as_number),
    "CREDENTIALS_TYPE": ("credentials", "type", _as_text),
    "CREDENTIALS_USER": ("credentials", "user", _as_text),
    "CREDENTIALS_PASSWORD": ("credentials", "password", _as_text),
    "LABELS": ("labels", "", _as_labels),
}


def _refusal(detail: ErrorDetails, source: str, variables: Mapping[str, str]) -> InvalidInputError:
    location = tuple(part for part in detail["loc"] if part != "[key]")
    path = field_path(location)
    said = _expected(detail, location)
    place = next(
        (name for behind, name in variables.items() if path == behind or path.startswith(behind)),
        source,
    )
    return InvalidInputError(f"{place}: {path}: {said}", path=path, expected=said)


def _expected(detail: ErrorDetails, location: tuple[str | int, ...]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key: expected one of {', '.join(_known_keys(location[:-1]))}"
        case "missing":
            return "missing: expected a value in the file or the environment"
        case _:
            return detail["msg"].removeprefix("Value error, ")


def _known_keys(location: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = AgentConfig
    for part in location:
        found = _SECTIONS.get(str(part))
        if found is not None:
            model = found
    return list(model.model_fields)


_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "agent": AgentSection,
    "nats": NatsSection,
    "podman": PodmanSection,
    "containers": ContainersSection,
    "credentials": CredentialsSection,
}


def environment() -> Mapping[str, str]:
    """Return the process environment; the one place where the agent reads it."""
    return os.environ
