"""What is written is read back equal, in one canonical form, whatever the peer added."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from fleet_core.contracts.base import Wire, canonical_json, decode, encode, unknown_fields
from fleet_core.contracts.resources import Deployment
from fleet_core.contracts.scores import Score, payload_hash, spec_hash
from tests.contracts.strategies import deployments, json_values, payloads, scores


@given(payloads)
def test_every_payload_survives_the_wire(payload: Wire) -> None:
    assert decode(type(payload), encode(payload)) == payload


@given(payloads)
def test_the_canonical_form_is_stable(payload: Wire) -> None:
    written = encode(payload)
    assert encode(decode(type(payload), written)) == written
    assert canonical_json(json.loads(written)) == written


@given(scores(), json_values)
def test_fields_of_a_newer_peer_are_kept(score: Score, value: object) -> None:
    tree = json.loads(encode(score))
    tree["data"]["services"][0]["sinceTheNextVersion"] = value
    read = decode(Score, json.dumps(tree).encode())
    assert json.loads(encode(read)) == tree
    assert unknown_fields(read) == ["data.services[0].sinceTheNextVersion"]


@given(deployments)
def test_a_deployment_as_we_write_it_holds_nothing_unknown(deployment: Deployment) -> None:
    assert unknown_fields(decode(Deployment, encode(deployment))) == []


@given(scores(), st.randoms())
def test_the_hash_does_not_depend_on_the_order_of_keys(score: Score, random: object) -> None:
    tree = json.loads(encode(score))
    names = list(tree["data"])
    random.shuffle(names)  # type: ignore[attr-defined]  # hypothesis types it as object
    tree["data"] = {name: tree["data"][name] for name in names}
    assert spec_hash(decode(Score, json.dumps(tree).encode())) == spec_hash(score)


@given(scores(), scores())
def test_different_scores_have_different_hashes(one: Score, other: Score) -> None:
    assert (spec_hash(one) == spec_hash(other)) == (one == other)


def test_a_known_hash() -> None:
    payload = canonical_json({"type": "PodmanV0", "data": {"services": []}})
    assert payload == b'{"data":{"services":[]},"type":"PodmanV0"}'
    assert payload_hash(payload) == "d274d8c8179d6f26"
