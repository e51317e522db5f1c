"""Scores: what older peers send is understood, and what cannot run is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fleet_core.contracts.base import decode, encode
from fleet_core.contracts.scores import RestartPolicy, Score
from fleet_core.errors import InvalidInputError


def score_tree(**changes: Any) -> dict[str, Any]:
    service = {"name": "web", "image": "registry.example/web:1"}
    return {"type": "PodmanV0", "data": {"services": [service], **changes}}


def read(tree: object) -> Score:
    return decode(Score, json.dumps(tree).encode())


def refusal(tree: object) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        read(tree)
    return caught.value


def test_a_payload_from_before_init_containers() -> None:
    score = read(score_tree())
    assert score.data.init_containers == []
    assert score.data.restart_policy is RestartPolicy.ALWAYS


def test_the_default_timeout_of_an_init_container_is_five_minutes() -> None:
    score = read(score_tree(init_containers=[{"name": "migrate", "image": "m:1"}]))
    assert score.data.init_containers[0].timeout == 300


def test_env_is_read_as_pairs_and_written_as_a_map() -> None:
    tree = score_tree()
    tree["data"]["services"][0]["env"] = [["A", "1"], ["B", "2"]]
    assert json.loads(encode(read(tree)))["data"]["services"][0]["env"] == {"A": "1", "B": "2"}


def test_fields_of_ours_are_not_written_at_their_default() -> None:
    assert "restart_policy" not in json.loads(encode(read(score_tree())))["data"]
    written = json.loads(encode(read(score_tree(restart_policy="Never"))))["data"]
    assert written["restart_policy"] == "Never"


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"type": "PodmanV9", "data": {}}, "type"),
        ({"data": {}}, "type"),
        (score_tree(services=[]), "data.services"),
        (score_tree(init_containers=[{"name": "web", "image": "m:1"}]), "data"),
        (
            score_tree(init_containers=[{"name": "m", "image": "m:1", "timeout": -1}]),
            "data.init_containers[0].timeout",
        ),
        (
            score_tree(init_containers=[{"name": "m", "image": "m:1", "timeout": "9"}]),
            "data.init_containers[0].timeout",
        ),
        (
            score_tree(init_containers=[{"name": "m", "image": "m:1", "health": {"exec": []}}]),
            "data.init_containers[0]",
        ),
        (score_tree(services=[{"name": "Web", "image": "w:1"}]), "data.services[0].name"),
        (score_tree(services=[{"name": "web", "image": "-rf"}]), "data.services[0].image"),
        (
            score_tree(services=[{"name": "web", "image": "w:1", "ports": ["http"]}]),
            "data.services[0].ports[0]",
        ),
        (
            score_tree(services=[{"name": "web", "image": "w:1", "volumes": ["data"]}]),
            "data.services[0].volumes[0]",
        ),
        (
            score_tree(services=[{"name": "web", "image": "w:1", "env": [["A"]]}]),
            "data.services[0].env",
        ),
        (
            score_tree(services=[{"name": "web", "image": "w:1", "args": ["a\0b"]}]),
            "data.services[0].args[0]",
        ),
    ],
)
def test_what_cannot_run_is_refused_with_its_place(tree: object, path: str) -> None:
    caught = refusal(tree)
    assert caught.path == path
    assert caught.expected
