"""The config file: contexts by name, and which of them a command works in."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fleet_core.errors import InvalidInputError, NotFoundError
from fleet_core.operations.contexts import ClusterAccess, Context, read_urls

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_VARIABLE: Final = "FLEET_CONFIG"
URL_VARIABLE: Final = "FLEET_NATS_URL"
CONFIG_MAX_BYTES: Final = 256 * 1024
VIEW_DIGITS: Final = "123456789"
"""The keys that views can be saved under."""


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the config file: ``$FLEET_CONFIG``, else ``fleet/config.toml`` by the XDG rules."""
    if named := environment.get(CONFIG_VARIABLE):
        return Path(named)
    # The XDG base directory specification: a relative value is to be ignored.
    base = Path(environment.get("XDG_CONFIG_HOME") or "")
    if not base.is_absolute():
        base = Path(environment.get("HOME") or "~").expanduser() / ".config"
    return base / "fleet" / "config.toml"


def choose_context(
    *,
    url: str | None = None,
    name: str | None = None,
    read_only: bool | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Context:
    """Return the context to work in.

    The first of these decides: ``url``, ``name``, ``$FLEET_NATS_URL``, the config file's
    ``current-context``. ``read_only=False`` lifts production's default, never the file's own word.

    Raises:
        InvalidInputError: nothing names a NATS, or the URL or the config file is wrong.
        NotFoundError: the config file has no such context.
    """
    chosen = _choose(url, name, environment)
    if read_only is None or chosen.read_only_by_word:
        return chosen
    return replace(chosen, read_only=read_only)


def _choose(url: str | None, name: str | None, environment: Mapping[str, str]) -> Context:
    if url:
        return Context.of_url(url)
    path = config_path(environment)
    if not name and (from_environment := environment.get(URL_VARIABLE)):
        return replace(Context.of_url(from_environment), arguments=())
    contexts = read_config(path)
    wanted = name or contexts.current
    if not wanted:
        raise InvalidInputError(
            "no NATS server is named",
            remedy=f"give --nats URL, set {URL_VARIABLE}, or set current-context in {path}",
        )
    if wanted not in contexts.by_name:
        known = ", ".join(contexts.by_name) or "there are none"
        raise NotFoundError(f"{path} has no context {wanted!r}", remedy=f"contexts: {known}")
    return contexts.by_name[wanted]


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What stands in a config file."""

    current: str = ""
    by_name: Mapping[str, Context] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the terminal UI by the ids of their bindings, as they were written."""
    views: Mapping[str, str] = field(default_factory=dict)
    """Commands of the terminal UI by the digits, 1 to 9, that carry them out."""


def read_config(path: Path) -> ConfigFile:
    """Read a config file; one that is absent is empty.

    Raises:
        InvalidInputError: unreadable, not TOML, or with a key that is unknown or of a wrong type.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ConfigFile()
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror}", expected="a readable file") from error
    if len(raw) > CONFIG_MAX_BYTES:
        raise InvalidInputError(f"{path} is too large", expected=f"at most {CONFIG_MAX_BYTES} B")
    try:
        return parse_config(tomllib.loads(raw.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} is not TOML: {error}", expected="TOML") from error
    except InvalidInputError as error:
        raise InvalidInputError(
            f"{path}: {error.message}", path=error.path, expected=error.expected
        ) from error


def parse_config(document: Mapping[str, Any]) -> ConfigFile:
    """Return the contexts of a parsed config file; raises InvalidInputError with the key."""
    _only_known(document, {"current-context", "contexts", "keys", "views"}, "")
    current = _typed(document, "current-context", str, "", "")
    tables = _typed(document, "contexts", dict, {}, "")
    by_name = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise _wrong(f"contexts.{name}", "a table")
        by_name[name] = _parse_context(name, table)
    if current and current not in by_name:
        raise _wrong("current-context", f"one of: {', '.join(by_name) or '(no contexts)'}")
    keys = _typed(document, "keys", dict, {}, "")
    return ConfigFile(current, by_name, keys, _parse_views(document))


def _parse_views(document: Mapping[str, Any]) -> Mapping[str, str]:
    views = _typed(document, "views", dict, {}, "")
    _only_known(views, set(VIEW_DIGITS), "views.")
    return {digit: _typed(views, digit, str, "", "views.") for digit in views}


_KEYS: Final = {
    *("nats", "user", "password", "token", "production", "read-only"),
    *("kubeconfig", "kube-context"),
}


def _parse_context(name: str, table: Mapping[str, Any]) -> Context:
    place = f"contexts.{name}."
    _only_known(table, _KEYS, place)
    urls = table.get("nats")
    if isinstance(urls, str):
        urls = urls.split(",")
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) for url in urls):
        raise _wrong(f"{place}nats", "a URL, or a list of URLs")
    servers, user, password, token = read_urls(urls, f"{place}nats")
    production = _typed(table, "production", bool, False, place)
    return Context(
        name=name,
        servers=servers,
        user=_typed(table, "user", str, user, place),
        password=_typed(table, "password", str, password, place),
        token=_typed(table, "token", str, token, place),
        production=production,
        # Whoever does not say otherwise only looks at production.
        read_only=_typed(table, "read-only", bool, production, place),
        read_only_by_word=bool(table.get("read-only", False)),
        cluster=_parse_cluster(table, place),
        arguments=("--context", name),
    )


def _parse_cluster(table: Mapping[str, Any], place: str) -> ClusterAccess | None:
    kubeconfig = _typed(table, "kubeconfig", str, None, place)
    context = _typed(table, "kube-context", str, None, place)
    if kubeconfig is None and context is None:
        return None
    return ClusterAccess(str(Path(kubeconfig).expanduser()) if kubeconfig else None, context)


def _only_known(table: Mapping[str, Any], known: set[str], place: str) -> None:
    for key in table:
        if key not in known:
            raise _wrong(f"{place}{key}", f"one of the keys {', '.join(sorted(known))}")


def _typed(table: Mapping[str, Any], key: str, kind: type, default: Any, place: str) -> Any:
    if key not in table:
        return default
    value = table[key]
    if not isinstance(value, kind):
        words = {str: "text", bool: "true or false", dict: "a table"}
        raise _wrong(f"{place}{key}", words[kind])
    return value


def _wrong(path: str, expected: str) -> InvalidInputError:
    return InvalidInputError(f"{path}: expected {expected}", path=path, expected=expected)
