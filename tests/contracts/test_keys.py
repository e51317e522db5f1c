"""Keys are parsed back into what they name, and foreign keys are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_core.contracts import buckets
from fleet_core.errors import InvalidInputError
from tests.contracts.strategies import dns_labels

Parser = Callable[[str], object]


@given(dns_labels, dns_labels)
def test_what_was_built_is_parsed_back(first: str, second: str) -> None:
    assert buckets.parse_desired_key(buckets.desired_key(first, second)) == (first, second)
    assert buckets.parse_state_key(buckets.state_key(first, second)) == (first, second)
    assert buckets.parse_resource_key(buckets.resource_key(first, second)) == (first, second)
    assert buckets.parse_manifest_key(buckets.manifest_key(first)) == first
    assert buckets.parse_info_key(buckets.info_key(first)) == first
    assert buckets.parse_heartbeat_key(buckets.heartbeat_key(first)) == first


@pytest.mark.parametrize(
    ("parse", "key"),
    [
        (buckets.parse_desired_key, "van-1"),
        (buckets.parse_desired_key, "van-1.web.more"),
        (buckets.parse_desired_key, "van-1.*"),
        (buckets.parse_manifest_key, "van.1"),
        (buckets.parse_manifest_key, ""),
        (buckets.parse_info_key, "van-1"),
        (buckets.parse_info_key, "heartbeat.van-1"),
        (buckets.parse_heartbeat_key, "heartbeat."),
        (buckets.parse_state_key, "state.van-1"),
        (buckets.parse_state_key, "state.van-1.>"),
        (buckets.parse_resource_key, "Shop.web"),
    ],
)
def test_foreign_keys_are_refused(parse: Parser, key: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        parse(key)
    assert refusal.value.path == "key"
    assert "<" in refusal.value.expected


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(key: str) -> None:
    try:
        device_id, deployment = buckets.parse_state_key(key)
    except InvalidInputError:
        return
    assert buckets.state_key(device_id, deployment) == key
