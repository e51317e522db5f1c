"""The command line itself: what it refuses, what it says, and what it takes from where."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING

import pytest

from fleet_core.cli.arguments import parse
from fleet_core.cli.examples import EXAMPLES
from fleet_core.contracts.schemas import PAYLOADS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.nats_server import NatsServer
    from tests.support.stack import Finished

    Fleet = Callable[..., Finished]

NOBODY = ("--nats", "nats://127.0.0.1:1")
"""Port 1 is refused at once; commands that are wrong must not get that far."""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "required: COMMAND"),
        (("frobnicate",), "invalid choice: 'frobnicate'"),
        (("get",), "required: kind"),
        (("get", "nothing"), "invalid choice: 'nothing'"),
        (("get", "devices", "-o", "xml"), "invalid choice: 'xml'"),
        (("describe", "device"), "required: NAME"),
        (("describe", "failure", "x"), "invalid choice: 'failure'"),
        (("apply",), "required: -f/--file"),
        (("apply", "-f", ""), "it is empty"),
        (("delete", "web"), "invalid choice: 'web'"),
        (("delete", "deployment"), "required: DEPLOYMENT"),
        (("redeploy",), "required: DEPLOYMENT"),
        (("ping", "--filter", " "), "it is empty"),
        (("ping", "a", "--timeout", "soon"), "'soon' is no number"),
        (("ping", "a", "--timeout", "0"), "'0' is no number"),
        (("ping", "a", "--timeout", "nan"), "'nan' is no number"),
        (("ping", "a", "--time", "3"), "unrecognized arguments: --time"),
        (("logs", "a"), "required: DEPLOYMENT"),
        (("logs", "a", "web", "--tail", "-3"), "--tail"),
        (("logs", "a", "web", "--tail", "many"), "'many' is no whole number"),
        (("logs", "a", "web", "--since", "yesterday"), "--since"),
        (("operator", "--heartbeat-interval", "0"), "'0' is no number from 1"),
        (("demo", "0"), "expected 1 to 20000 devices"),
        (("demo", "many"), "expected 1 to 20000 devices"),
        (("get", "devices", "--read-only", "--read-write"), "not allowed with"),
    ],
)
def test_a_wrong_command_line_is_refused_with_what_is_wrong(
    fleet: Fleet, words: tuple[str, ...], said: str
) -> None:
    finished = fleet(*words)
    assert finished.code == 2
    assert said in finished.stderr
    assert finished.stderr.startswith("usage: fleet")
    assert finished.stdout == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("get", "devices", "site=("), "fleet: "),
        (("watch", "devices", "age>soon"), "fleet: "),
        (("ping", "--filter", "age>soon"), "fleet: "),
        (("ping",), "give either device ids or a filter"),
        (("ping", "a", "--filter", "site=berlin"), "give either device ids or a filter"),
        (("ping", "Not.An.Id"), "'Not.An.Id' is no device id"),
        (("apply", "-f", "no/such/file.yaml"), "cannot read no/such/file.yaml"),
        (("--nats", "ftp://host", "get", "devices"), "expected a URL as nats://host:4222"),
        (("--nats", "nats://host:no", "ping", "a"), "expected a URL as nats://host:4222"),
    ],
)
def test_a_wrong_word_is_told_in_one_sentence(
    nats_server: NatsServer, fleet: Fleet, words: tuple[str, ...], said: str
) -> None:
    where = () if words[0] == "--nats" else ("--nats", nats_server.url)
    finished = fleet(*where, *words)
    assert finished.code == 2
    assert said in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""


def test_the_place_of_a_filters_error_is_shown_under_it(fleet: Fleet) -> None:
    finished = fleet(*NOBODY, "get", "devices", "site=berlin", "and", "(")
    assert finished.code == 2
    _, line, caret = finished.stderr.splitlines()
    assert line == "  site=berlin and ("
    assert caret.strip() == "^"
    assert caret.index("^") >= line.index("(")


def test_without_any_server_the_ways_to_name_one_are_told(fleet: Fleet, tmp_path: Path) -> None:
    finished = fleet("get", "devices")
    assert finished.code == 2
    for way in ("--nats", "FLEET_NATS_URL", "current-context", str(tmp_path / "config.toml")):
        assert way in finished.stderr


def test_an_unknown_context_is_told_with_those_that_exist(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[contexts.lab]\nnats = "nats://127.0.0.1:1"\n')
    finished = fleet("--context", "prod", "get", "devices")
    assert finished.code == 1
    assert "contexts: lab" in finished.stderr


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("contexts = 3", "contexts: expected a table"),
        ("current = 'x'", "current: expected one of the keys"),
        ("[contexts.lab]\nnats = 4", "contexts.lab.nats: expected a URL"),
        ("[contexts.lab]\nnats = 'a'\nproduction = 'no'", "contexts.lab.production"),
        ("\0", "is not TOML"),
        ("[", "is not TOML"),
    ],
)
def test_a_wrong_config_file_is_refused_naming_the_key(
    fleet: Fleet, tmp_path: Path, config: str, said: str
) -> None:
    (tmp_path / "config.toml").write_text(config)
    finished = fleet("get", "devices")
    assert finished.code == 2
    assert str(tmp_path / "config.toml") in finished.stderr
    assert said in finished.stderr


def test_a_server_that_refuses_is_3_at_once_and_no_password_is_told(fleet: Fleet) -> None:
    started_s = time.monotonic()
    finished = fleet("--nats", "nats://admin:s3cret@127.0.0.1:1", "get", "devices")
    assert time.monotonic() - started_s < 2
    assert finished.code == 3
    assert "cannot connect to NATS at nats://127.0.0.1:1: Connection refused" in finished.stderr
    assert "s3cret" not in finished.stderr
    assert len(finished.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["", *EXAMPLES])
def test_help_is_data_and_ends_well(fleet: Fleet, command: str) -> None:
    finished = fleet(*command.split(), "--help")
    assert finished.code == 0
    assert finished.stdout.startswith(f"usage: fleet {command}".rstrip())
    assert finished.stderr == ""
    for name in EXAMPLES if not command else ():
        assert f"\n    {name.split()[0]}" in finished.stdout


@pytest.mark.parametrize(("command", "text"), EXAMPLES.items())
def test_every_example_is_understood(command: str, text: str) -> None:
    for line in text.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&")
        lexer.whitespace_split = True
        words = list(lexer)
        ends = [words.index(mark) for mark in ("|", "&&") if mark in words]
        ours = words[: min(ends, default=len(words))]
        assert ours.pop(0) == "fleet"
        options = parse(ours)
        assert options.command.startswith("fleet_core.cli.")
        assert " ".join(ours).startswith(command) or command in words


@pytest.mark.parametrize("before", [True, False])
def test_global_options_stand_before_or_after_the_command(before: bool) -> None:  # noqa: FBT001 - a parameter
    globals_ = ["-o", "json", "--nats", "nats://a:1", "--read-only"]
    words = ["get", "device", "site=berlin"]
    options = parse([*globals_, *words] if before else [*words, *globals_])
    assert (options.output, options.nats, options.read_only) == ("json", "nats://a:1", True)
    assert (options.kind, options.words) == ("devices", ["site=berlin"])


@pytest.mark.parametrize("name", PAYLOADS)
def test_each_payload_has_a_schema(fleet: Fleet, name: str) -> None:
    finished = fleet("schema", name)
    assert finished.code == 0
    assert json.loads(finished.stdout)["type"] == "object"


def test_schema_names_are_listed_and_an_unknown_one_is_told(fleet: Fleet) -> None:
    assert fleet("schema").stdout.split() == list(PAYLOADS)
    assert json.loads(fleet("schema", "-o", "json").stdout) == list(PAYLOADS)
    unknown = fleet("schema", "nonsense")
    assert unknown.code == 1
    assert "score" in unknown.stderr


def test_the_version_is_one_line_or_json(fleet: Fleet) -> None:
    plain = fleet("version").stdout
    assert plain.count("\n") == 1
    assert json.loads(fleet("version", "-o", "json").stdout) == {"version": plain.strip()}


def test_a_bug_is_one_sentence_too(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise ZeroDivisionError("an\x1b[31m escape")

    monkeypatch.setattr("fleet_core.cli.version.version", fail)
    finished = fleet("version")
    assert finished.code == 1
    assert "ZeroDivisionError" in finished.stderr
    assert "FLEET_DEBUG=1" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "\x1b" not in finished.stderr

    monkeypatch.setenv("FLEET_DEBUG", "1")
    assert "Traceback" in fleet("version").stderr


def test_a_server_without_a_fleet_is_3_and_says_so(
    nats_server: NatsServer, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_core.cli.sessions.SYNC_TIMEOUT_S", 0.5)
    finished = fleet("--nats", nats_server.url, "get", "devices")
    assert finished.code == 3
    assert finished.stdout == ""
    assert len(finished.stderr.splitlines()) == 1
    assert "operator" in finished.stderr
