"""The agent's configuration: file, environment, and a refusal that names the key."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fleet_agent.config import load_config
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

SOUND = """\
[agent]
device_id = "berlin-kiosk-017"
runtime = "simulated"

[nats]
urls = ["nats://a.example:4222", "tls://b.example"]

[credentials]
type = "toml-shared"
user = "device"
password = "hush"

[labels]
site = "berlin"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_a_sound_file(tmp_path: Path) -> None:
    config = load_config({"FLEET_AGENT_CONFIG": str(written(tmp_path, SOUND))})
    assert config.agent.device_id == "berlin-kiosk-017"
    assert config.nats.urls == ["nats://a.example:4222", "tls://b.example"]
    assert config.labels == {"site": "berlin"}
    assert config.credentials is not None
    assert config.credentials.password.get_secret_value() == "hush"
    assert "hush" not in repr(config)


def test_the_environment_overrides_every_section(tmp_path: Path) -> None:
    config = load_config(
        {
            "FLEET_AGENT_CONFIG": str(written(tmp_path, SOUND)),
            "FLEET_AGENT_DEVICE_ID": "van-1",
            "FLEET_AGENT_HEARTBEAT_INTERVAL_S": "5",
            "FLEET_AGENT_NATS_URLS": "nats://c.example, nats://d.example",
            "FLEET_AGENT_CREDENTIALS_PASSWORD": "other",
            "FLEET_AGENT_LABELS": "ring=2,site=paris",
        }
    )
    assert config.agent.device_id == "van-1"
    assert config.agent.heartbeat_interval_s == 5
    assert config.nats.urls == ["nats://c.example", "nats://d.example"]
    assert config.credentials is not None
    assert config.credentials.password.get_secret_value() == "other"
    assert config.labels == {"site": "paris", "ring": "2"}


def test_the_environment_alone_is_enough() -> None:
    config = load_config(
        {
            "FLEET_AGENT_DEVICE_ID": "van-1",
            "FLEET_AGENT_RUNTIME_ENABLED": "false",
            "FLEET_AGENT_NATS_URL": "nats://a.example",
        }
    )
    assert not config.agent.runtime_enabled


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (('device_id = "berlin-kiosk-017"', 'device_id = "Berlin.1"'), "agent.device_id"),
        (('device_id = "berlin-kiosk-017"', ""), "agent.device_id"),
        (("[agent]", "[agent]\ndevise = 1"), "agent.devise"),
        (('runtime = "simulated"', 'runtime = "docker"'), "agent.runtime"),
        (('runtime = "simulated"', 'state_dir = "here"'), "agent.state_dir"),
        (
            ("[labels]", "[containers]\nallow_host_paths = ['srv']\n[labels]"),
            "containers.allow_host_paths[0]",
        ),
        (("[labels]", "[containers]\nexec = 'yes'\n[labels]"), "containers.exec"),
        (("[labels]", "[podman]\nparallel_calls = 0\n[labels]"), "podman.parallel_calls"),
        (("[labels]", "[registries.'a/b']\ninsecure = true\n[labels]"), "registries.a/b"),
        (
            ("[labels]", "[registries.'a.example']\nusername = 'u'\n[labels]"),
            "registries.a.example",
        ),
        (('"nats://a.example:4222", ', '"http://a", '), "nats.urls[0]"),
        (('urls = ["nats://a.example:4222", "tls://b.example"]', "urls = []"), "nats.urls"),
        (('"toml-shared"', '"oidc"'), "credentials.type"),
        (('user = "device"\n', ""), "credentials.user"),
        (('site = "berlin"', "site = 7"), "labels.site"),
        (('site = "berlin"', '"a b" = "x"'), "labels"),
        (("[labels]", "[lables]"), "lables"),
    ],
)
def test_a_wrong_file_names_the_key(tmp_path: Path, change: tuple[str, str], key: str) -> None:
    assert change[0] in SOUND
    path = written(tmp_path, SOUND.replace(*change))
    with pytest.raises(InvalidInputError) as caught:
        load_config({"FLEET_AGENT_CONFIG": str(path)})
    assert caught.value.path.startswith(key)
    assert str(path) in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("FLEET_AGENT_DEVISE_ID", "van-1"),
        ("FLEET_AGENT_RUNTIME_ENABLED", "yes"),
        ("FLEET_AGENT_DRIFT_INTERVAL_S", "often"),
        ("FLEET_AGENT_LABELS", "site"),
        ("FLEET_AGENT_DEVICE_ID", "a.b"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, text: str) -> None:
    environment = {"FLEET_AGENT_CONFIG": str(written(tmp_path, SOUND)), variable: text}
    with pytest.raises(InvalidInputError, match=variable):
        load_config(environment)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"[agent", b"x = " + b"[" * 5_000, b"a" * 300_000])
def test_what_is_no_toml_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(raw)
    with pytest.raises(InvalidInputError, match=r"config\.toml"):
        load_config({"FLEET_AGENT_CONFIG": str(path)})


@pytest.mark.parametrize("arguments", [["run"], ["run", "--config", "/nowhere/agent.toml"]])
def test_the_program_exits_2_with_one_sentence(tmp_path: Path, arguments: list[str]) -> None:
    path = written(tmp_path, SOUND.replace("berlin-kiosk-017", "NOT AN ID"))
    ended = subprocess.run(
        [sys.executable, "-m", "fleet_agent", *arguments],
        env={**os.environ, "FLEET_AGENT_CONFIG": str(path)},
        capture_output=True,
        text=True,
        timeout=8,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "device_id" in ended.stderr or "/nowhere/agent.toml" in ended.stderr
