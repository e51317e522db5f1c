"""The door for files: what is sound comes in, all else is told with its place and what it lacks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_core.contracts.base import encode
from fleet_core.errors import InvalidInputError
from fleet_core.operations.manifests import MAX_BYTES, ManifestError, read_manifests
from fleet_core.operations.yaml_text import to_yaml
from tests.contracts.strategies import deployments

if TYPE_CHECKING:
    from fleet_core.contracts.resources import Deployment

SOUND = """\
apiVersion: fleet.nationtech.io/v1alpha1
kind: Deployment
metadata:
  name: web
  labels: {team: shop}
spec:
  targetSelector:
    matchLabels: {site: berlin}
  score:
    type: PodmanV0
    data:
      init_containers:
        - name: migrate
          image: registry.example/migrate:1
          env: [[MODE, fast]]
      services:
        - name: web
          image: registry.example/web:1
          ports: ["8080:80"]
"""


def refusal(data: bytes) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        read_manifests(data, "web.yaml")
    return caught.value


def test_a_sound_file_is_read() -> None:
    (manifest,) = read_manifests(SOUND.encode(), "web.yaml")
    assert manifest.deployment.key == ("default", "web")
    assert manifest.deployment.spec.score.data.init_containers[0].env == {"MODE": "fast"}
    assert manifest.unknown == ()


def test_several_documents_and_json_are_read_too() -> None:
    other = SOUND.replace("name: web\n  labels", "name: other\n  labels")
    two = f"{SOUND}---\n{other}"
    names = [manifest.deployment.metadata.name for manifest in read_manifests(two.encode(), "-")]
    assert names == ["web", "other"]
    resource = read_manifests(SOUND.encode(), "-")[0].deployment
    again = read_manifests(encode(resource), "web.json")[0].deployment
    assert again == resource


def test_what_the_server_set_is_left_out_and_what_is_unknown_is_told() -> None:
    text = SOUND.replace(
        "  name: web\n  labels",
        "  name: web\n  generation: 7\n  resourceVersion: '3'\n  labels",
        1,
    )
    text = text.replace('ports: ["8080:80"]', 'ports: ["8080:80"]\n          prots: []')
    (manifest,) = read_manifests(f"{text}status: {{aggregate: {{}}}}\n".encode(), "-")
    assert manifest.deployment.metadata.generation == 0
    assert manifest.unknown == ("spec.score.data.services[0].prots",)


@given(deployments)
def test_what_is_written_as_yaml_reads_back(resource: Deployment) -> None:
    record = json.loads(encode(resource))
    (manifest,) = read_manifests(to_yaml(record).encode(), "-")
    unset = {"generation": 0, "creation_timestamp": None}
    expected = resource.model_copy(update={"metadata": resource.metadata.model_copy(update=unset)})
    assert manifest.deployment == expected


@pytest.mark.parametrize(
    ("change", "place", "said"),
    [
        (("name: web\n  labels", "name: Web!\n  labels"), "metadata.name", "a-z"),
        (("kind: Deployment", "kind: Pod"), "kind", "Deployment"),
        (("v1alpha1", "v9"), "apiVersion", "v1alpha1"),
        (("type: PodmanV0", "type: PodmanV7"), "spec.score.type", "PodmanV0"),
        (("matchLabels: {site: berlin}", "matchLabels: [site]"), "matchLabels", "object"),
        (('ports: ["8080:80"]', "ports: 8080"), "ports", "array"),
        (("image: registry.example/web:1", "image: 'a b'"), "services[0].image", "image"),
        (("name: migrate", "name: web"), "score", "unique names"),
        (("      services:", "      servces:"), "services", "required"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    change: tuple[str, str], place: str, said: str
) -> None:
    assert change[0] in SOUND
    error = refusal(SOUND.replace(*change).encode())
    assert place in error.path
    assert "web.yaml" in str(error)
    assert said in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# nothing\n",
        b"- a list\n",
        b"just text",
        b"\xff\xfe\x00",
        SOUND.encode() + b"\0",
        b"a: [" * 2_000,
        b"{" * 100_000,
        b"a: &x [*x]",
        b"a: !!python/object/apply:os.system ['true']",
        b"x: " + b"y" * (MAX_BYTES + 1),
        (SOUND + "---\n" + SOUND).encode(),
        SOUND.replace("name: web\n  labels", "name: web\n  name: web\n  labels").encode(),
        SOUND.replace("berlin", '"\\ud800"').encode(),
        SOUND.replace("berlin", ".inf").encode(),
    ],
    ids=lambda data: repr(data[:24]),
)
def test_hostile_files_are_refused_in_a_sentence(data: bytes) -> None:
    error = refusal(data)
    assert "\n" not in str(error)
    assert str(error).startswith("web.yaml")


def test_a_bomb_of_aliases_is_refused_before_it_goes_off() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    refusal("\n".join(lines).encode())


@given(st.binary(max_size=300))
def test_no_bytes_bring_anything_but_a_refusal(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        read_manifests(data, "-")
