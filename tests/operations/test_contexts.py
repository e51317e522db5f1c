"""Which NATS is meant: by URL, environment or the config file, and how careful one is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fleet_core.errors import InvalidInputError, NotFoundError, RefusedError
from fleet_core.operations.config_file import choose_context, config_path, read_config
from fleet_core.operations.contexts import Context

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """\
current-context = "test"

[contexts.test]
nats = "nats://test.example:4222"

[contexts.prod]
nats = "tls://one.example:4222,tls://two.example"
user = "ops"
password = "secret"
production = true

[contexts.museum]
nats = "nats://old.example"
read-only = true

[keys]
"device.ping" = "P"
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return {"FLEET_CONFIG": str(path)}


def test_a_url_comes_before_the_environment_before_the_file(environment: dict[str, str]) -> None:
    def chosen(url: str | None = None, name: str | None = None) -> tuple[str, ...]:
        return choose_context(url=url, name=name, environment=environment).servers

    assert chosen() == ("nats://test.example:4222",)
    environment["FLEET_NATS_URL"] = "nats://env.example"
    assert chosen() == ("nats://env.example",)
    assert chosen(name="museum") == ("nats://old.example",)
    assert chosen(url="nats://word.example", name="museum") == ("nats://word.example",)


def test_production_is_read_only_unless_it_is_lifted(environment: dict[str, str]) -> None:
    prod = choose_context(name="prod", environment=environment)
    assert prod.production
    with pytest.raises(RefusedError, match="read-write"):
        prod.refuse_if_read_only("delete")
    lifted = choose_context(name="prod", read_only=False, environment=environment)
    lifted.refuse_if_read_only("delete")
    assert lifted.servers == ("tls://one.example:4222", "tls://two.example")


def test_the_files_own_word_is_not_lifted(environment: dict[str, str]) -> None:
    museum = choose_context(name="museum", read_only=False, environment=environment)
    with pytest.raises(RefusedError, match="read-only = false"):
        museum.refuse_if_read_only("apply")


def test_secrets_are_in_no_text(environment: dict[str, str]) -> None:
    prod = choose_context(name="prod", environment=environment)
    assert prod.password == "secret"
    assert "secret" not in repr(prod)
    context = Context.of_url("nats://ops:hush@host.example")
    assert (context.user, context.password) == ("ops", "hush")
    assert "hush" not in repr(context)
    assert context.servers == ("nats://host.example",)
    assert "hush" not in " ".join(context.arguments)


def test_an_unknown_context_names_those_there_are(environment: dict[str, str]) -> None:
    with pytest.raises(NotFoundError, match="no context 'nowhere'") as caught:
        choose_context(name="nowhere", environment=environment)
    assert "museum" in caught.value.remedy


def test_without_any_word_it_says_what_to_do() -> None:
    with pytest.raises(InvalidInputError, match="no NATS server is named") as caught:
        choose_context(environment={"FLEET_CONFIG": "/nowhere/config.toml"})
    assert "--nats" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("current-context = 5", "current-context"),
        ('current-context = "gone"', "current-context"),
        ("[contexts.a]\nnats = 7", "contexts.a.nats"),
        ('[contexts.a]\nnats = "nats://x"\nnast = 1', "contexts.a.nast"),
        ("[contexts.a]\nuser = 'x'", "contexts.a.nats"),
        ('[contexts.a]\nnats = "http://x"', "contexts.a.nats"),
        ("colour = 1", "colour"),
        ("not toml at all", ""),
    ],
)
def test_a_wrong_file_is_told_with_the_key(tmp_path: Path, text: str, place: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        read_config(path)
    assert place in caught.value.path or place in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "http://x", "nats://", "nats://x:0", "nats://x:port", "nats://["]
)
def test_what_is_no_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError, match="nats://host:4222"):
        Context.of_url(url)


def test_the_file_is_where_the_environment_says(tmp_path: Path) -> None:
    assert config_path({"FLEET_CONFIG": "/a/b.toml"}).name == "b.toml"
    assert config_path({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "fleet" / "config.toml"
    relative = config_path({"XDG_CONFIG_HOME": "relative", "HOME": str(tmp_path)})
    assert relative == tmp_path / ".config" / "fleet" / "config.toml"
