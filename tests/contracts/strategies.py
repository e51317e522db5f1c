"""Hypothesis strategies for everything that crosses the wire."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import Any, TypeVar

from hypothesis import strategies as st
from pydantic import BaseModel

from fleet_core.contracts.containers import InitContainer, Service
from fleet_core.contracts.devices import DeviceInfo, DeviceManifest, Inventory, ManifestEntry
from fleet_core.contracts.resources import (
    Aggregate,
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    LastError,
    Metadata,
)
from fleet_core.contracts.scores import PodmanV0, RestartPolicy, Score
from fleet_core.contracts.selectors import LabelSelector, SelectorOperator, SelectorRequirement
from fleet_core.contracts.states import (
    ContainerState,
    ContainerStatus,
    DeploymentState,
    Failure,
    Phase,
    RunningState,
    TerminatedState,
    WaitingState,
)

_Model = TypeVar("_Model", bound=BaseModel)


def built(model: type[_Model], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[_Model]:
    """Like ``st.builds``, which asks for wire names where a model has aliases."""
    return st.fixed_dictionaries(fields).map(lambda values: model(**values))


dns_labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
label_values = st.from_regex(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,10}[A-Za-z0-9])?)?", fullmatch=True)
label_keys = st.one_of(dns_labels, dns_labels.map(lambda name: f"example.com/{name}"))
label_maps = st.dictionaries(label_keys, label_values, max_size=4)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
moments = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis takes naive bounds
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.just(UTC),
)
generations = st.integers(min_value=0, max_value=2**53 - 1)
hashes = st.text(string.digits + "abcdef", min_size=16, max_size=16)
counts = st.integers(min_value=0, max_value=100_000)
images = st.from_regex(r"registry\.example/[a-z]{1,8}/[a-z]{1,8}:[0-9]\.[0-9]", fullmatch=True)
environments = st.dictionaries(
    st.from_regex(r"[A-Z_][A-Z0-9_]{0,10}", fullmatch=True), texts, max_size=3
)
volumes = st.sampled_from(["data:/data", "/srv/www:/www:ro", "cache:/var/cache:z,U"])
ports = st.sampled_from(["80", "8080:80", "127.0.0.1:8443:443/tcp", "53:53/udp"])


@st.composite
def scores(draw: st.DrawFn) -> Score:
    names = draw(st.lists(dns_labels, min_size=1, max_size=5, unique=True))
    split = draw(st.integers(min_value=0, max_value=len(names) - 1))
    common = {"args": st.lists(texts, max_size=3), "env": environments}
    inits = [
        draw(
            built(
                InitContainer,
                name=st.just(name),
                image=images,
                volumes=st.lists(volumes, max_size=2),
                timeout=st.integers(min_value=1, max_value=86_400),
                **common,
            )
        )
        for name in names[:split]
    ]
    services = [
        draw(
            built(
                Service,
                name=st.just(name),
                image=images,
                ports=st.lists(ports, max_size=2),
                volumes=st.lists(volumes, max_size=2),
                restart_policy=st.sampled_from(["always", "on-failure", "unless-stopped", "no"]),
                **common,
            )
        )
        for name in names[split:]
    ]
    policy = draw(st.sampled_from(RestartPolicy))
    data = PodmanV0(init_containers=inits, services=services, restart_policy=policy)
    return Score(type="PodmanV0", data=data)


@st.composite
def requirements(draw: st.DrawFn) -> SelectorRequirement:
    operator = draw(st.sampled_from(SelectorOperator))
    wants_values = operator in (SelectorOperator.IN, SelectorOperator.NOT_IN)
    values = draw(st.lists(label_values, min_size=1, max_size=3)) if wants_values else []
    return SelectorRequirement(key=draw(label_keys), operator=operator, values=values)


selectors = built(
    LabelSelector,
    match_labels=label_maps,
    match_expressions=st.lists(requirements(), max_size=3),
)
deployments = built(
    Deployment,
    metadata=built(
        Metadata,
        name=dns_labels,
        namespace=dns_labels,
        generation=generations,
        labels=label_maps,
        annotations=st.dictionaries(label_keys, texts, max_size=2),
        creation_timestamp=st.none() | moments,
    ),
    spec=built(DeploymentSpec, target_selector=selectors, score=scores()),
)
statuses = built(
    DeploymentStatus,
    aggregate=built(
        Aggregate,
        matched_device_count=counts,
        succeeded=counts,
        failed=counts,
        pending=counts,
        offline=counts,
        last_error=st.none() | built(LastError, device_id=dns_labels, message=texts, at=moments),
    ),
    observed_generation=generations,
)
container_states = st.one_of(
    built(ContainerState),
    built(ContainerState, waiting=built(WaitingState, reason=texts, message=texts)),
    built(ContainerState, running=built(RunningState, started_at=st.none() | moments)),
    built(
        ContainerState,
        terminated=built(
            TerminatedState,
            exit_code=st.integers(min_value=-255, max_value=255),
            reason=texts,
            finished_at=st.none() | moments,
        ),
    ),
)
container_statuses = built(
    ContainerStatus,
    name=dns_labels,
    image=images,
    state=container_states,
    last_state=container_states,
    restart_count=counts,
    ready=st.booleans(),
)
states = built(
    DeploymentState,
    device_id=dns_labels,
    deployment=dns_labels,
    phase=st.sampled_from(Phase),
    last_event_at=moments,
    last_error=st.none() | texts,
    generation=st.none() | generations,
    spec_hash=st.none() | hashes,
    reason=texts,
    init_container_statuses=st.lists(container_statuses, max_size=3),
    container_statuses=st.lists(container_statuses, max_size=3),
    failure=st.none()
    | built(
        Failure,
        container=dns_labels,
        init=st.booleans(),
        cause=texts,
        exit_code=st.none() | st.integers(min_value=-255, max_value=255),
        log=texts,
    ),
)
device_infos = built(
    DeviceInfo,
    device_id=dns_labels,
    labels=label_maps,
    inventory=built(Inventory, hostname=st.none() | texts, cpus=st.none() | counts),
    agent_version=texts,
    boot_id=texts,
    started_at=st.none() | moments,
)
manifests = built(
    DeviceManifest,
    generation=generations,
    heartbeat_interval_s=st.integers(min_value=1, max_value=3_600),
    deployments=st.dictionaries(
        dns_labels,
        built(ManifestEntry, generation=generations, spec_hash=hashes),
        max_size=4,
    ),
)
payloads = st.one_of(deployments, statuses, states, device_infos, manifests, scores())
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
