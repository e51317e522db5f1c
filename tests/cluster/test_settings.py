"""What lets us in, for both clients of the API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import kubernetes
import pytest

from fleet_core.cluster.settings import Access, ClusterSettings, load_access

if TYPE_CHECKING:
    from pathlib import Path


def in_pod(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Look like a pod: the files and variables that the kubelet gives each."""
    (folder / "token").write_text("a.service.account")
    (folder / "ca.crt").write_text("certificate")
    place = kubernetes.config.incluster_config
    monkeypatch.setattr(place, "SERVICE_TOKEN_FILENAME", str(folder / "token"))
    monkeypatch.setattr(place, "SERVICE_CERT_FILENAME", str(folder / "ca.crt"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")


def test_in_a_pod_both_have_the_token_of_its_account(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_pod(monkeypatch, tmp_path)
    access = load_access(ClusterSettings(in_cluster=True))
    told = access.for_kopf()
    assert told.server == "https://10.96.0.1:443"
    assert told.token == "a.service.account"
    assert told.ca_path == str(tmp_path / "ca.crt")
    said = access.configuration.get_api_key_with_prefix("BearerToken")
    assert said == "bearer a.service.account"


@pytest.mark.parametrize(
    ("said", "token"), [("Bearer abc", "abc"), ("bearer abc", "abc"), ("Basic abc", None)]
)
def test_a_token_is_told_from_other_ways_in(said: str, token: str | None) -> None:
    configuration = kubernetes.client.Configuration()
    configuration.api_key["BearerToken"] = said
    assert Access(configuration).for_kopf().token == token
