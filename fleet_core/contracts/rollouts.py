"""How a new version reaches the devices: what people ask for, and how far it has come."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from fleet_core.contracts.base import Resource, Timestamp, without_defaults
from fleet_core.contracts.names import DeviceId, DnsLabel, Generation, LabelKey, SpecHash, Text
from fleet_core.contracts.scores import Score
from fleet_core.contracts.selectors import LabelSelector
from fleet_core.contracts.shares import Percent, Share

COMMANDS_ANNOTATION: Final = "fleet.nationtech.io/rollout-commands"
"""Holds a `RolloutCommands`: what people told a rollout to do. The operator never writes it."""
MAX_COMMANDS: Final = 10
"""Commands that are kept; an operator that was down for longer than ten of them misses the rest."""
MAX_BATCHES: Final = 32
REVISION_HISTORY_LIMIT: Final = 10
"""Revisions that are kept, as Kubernetes keeps ten of a Deployment by default."""
MAX_HELD: Final = 200
"""Devices that may be passed over while their group is at its limit; bounds the status."""
DEFAULT_DEVICE_DEADLINE_S: Final = 900
"""Longer than a score's ``progress_deadline_s``: the device itself tells first what went wrong."""
REST: Final = "rest"
"""The name of the batch of all devices that no other batch takes."""
WEEK_S: Final = 7 * 24 * 3600

_NONE: Final = (0, "0%")

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[int, Field(ge=0, le=WEEK_S)]
Words = Annotated[Text, Field(max_length=1_024)]
Cut = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{0,16}$")]


class Strategy(StrEnum):
    """How a change reaches the devices."""

    IMMEDIATE = "Immediate"
    """All of them at once."""
    STAGED = "Staged"
    """Batch by batch."""


class OnFailure(StrEnum):
    """What happens to a rollout when one of its batches fails."""

    PAUSE = "pause"
    """Nothing more is started until a person decides."""
    ABORT = "abort"
    """Nothing more is started, for good; what was updated stays updated."""
    REVERT = "revert"
    """Every device goes back to the version before."""


class Batch(Resource):
    """Some of the devices; each device belongs to the first batch that takes it."""

    name: DnsLabel
    selector: LabelSelector | None = None
    """Of the devices that the Deployment selects; none: all of them."""
    count: Share | None = None
    """At most so many of them (percent: of all that the Deployment selects, at least one)."""
    soak_seconds: Seconds = 0
    """How long it must stay healthy before the next batch starts."""
    success_threshold: Percent = "100%"
    """Of the devices that can be reached, how many must run the new version."""
    error_threshold: Share = 0
    """How many may fail without failing the batch."""
    needs_promotion: bool = False
    """Whether a person has to promote it before the next batch starts."""

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler(self), type(self).model_fields.keys() - {"name"})


def _refuse_batches_that_cannot_finish(batches: list[Batch]) -> None:
    """Raise ValueError for a batch that could never get a device, or never be done."""
    seen, takes_all = {REST}, ""
    for batch in batches:
        if takes_all:
            raise ValueError(
                f"batch {batch.name!r} could never get a device, since {takes_all!r} before it "
                "takes all: expected it before, or a count or selector there"
            )
        if batch.name in seen:
            raise ValueError(f"the batch name {batch.name!r} is taken: expected unique names")
        if batch.count in _NONE:
            raise ValueError(f"batch {batch.name!r} has a count of 0: expected 1 or more")
        if batch.success_threshold in _NONE:
            raise ValueError(
                f"batch {batch.name!r} would succeed without any device: expected a "
                "successThreshold from 1% to 100%"
            )
        seen.add(batch.name)
        if batch.selector is None and batch.count is None:
            takes_all = batch.name


class Rollout(Resource):
    """How a change reaches the devices."""

    strategy: Strategy = Strategy.IMMEDIATE
    batches: Annotated[list[Batch], Field(max_length=MAX_BATCHES)] = Field(default_factory=list)
    """In this order; devices that no batch takes are in a last one, named ``rest``."""
    max_unavailable: Share = "25%"
    """Of all selected devices, how many may be in transition or failed at a time; at least 1."""
    group_by: LabelKey | None = None
    """A label whose values are groups, as ``site``."""
    max_unavailable_per_group: Share = 1
    """The same within each group; at least 1."""
    device_deadline_seconds: Annotated[int, Field(ge=1, le=WEEK_S)] = DEFAULT_DEVICE_DEADLINE_S
    """From being told until running: later it counts as failed, or as stranded if offline."""
    on_failure: OnFailure = OnFailure.PAUSE
    paused: bool = False
    """Nothing more is started while this is set."""

    @model_validator(mode="after")
    def _can_finish(self) -> Self:
        if self.strategy is Strategy.STAGED:
            for name, share in (
                ("maxUnavailable", self.max_unavailable),
                ("maxUnavailablePerGroup", self.max_unavailable_per_group),
            ):
                if share in _NONE:
                    raise ValueError(
                        f"{name} is 0: the rollout could never finish; expected 1 or more"
                    )
            _refuse_batches_that_cannot_finish(self.batches)
        return self

    @model_serializer(mode="wrap")
    def _write(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_defaults(self, handler(self), type(self).model_fields.keys() - {"strategy"})


class RolloutVerb(StrEnum):
    """What a person can tell a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    """Go on; where a batch had failed, its failures so far are forgiven."""
    PROMOTE = "promote"
    """The present batch is good as it is: go on to the next."""
    PROMOTE_FULLY = "promote-fully"
    """Start all devices now, whatever the batches say."""
    ABORT = "abort"
    REVERT = "revert"


class RolloutCommand(Resource):
    """One thing that a person told a rollout."""

    id: Annotated[Text, Field(min_length=1, max_length=64)]
    verb: RolloutVerb
    spec_hash: SpecHash
    """The version whose rollout is meant; a command for another one has no effect."""


class RolloutCommands(Resource):
    """The last commands, oldest first."""

    commands: Annotated[list[RolloutCommand], Field(max_length=MAX_COMMANDS)]


class RevisionRef(Resource):
    """Names a `Revision`."""

    number: Generation
    spec_hash: SpecHash


class Revision(Resource):
    """A version of a Deployment's score, kept so that devices can go back to it."""

    number: Generation
    """Counts versions; one that is taken up again gets a new number, as in Kubernetes."""
    spec_hash: SpecHash
    generation: Generation
    """The resource's ``metadata.generation`` when it was taken up."""
    score: Score
    created_at: Timestamp

    @property
    def ref(self) -> RevisionRef:
        """What names it."""
        return RevisionRef(number=self.number, spec_hash=self.spec_hash)


class BatchPhase(StrEnum):
    """Where a batch stands."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    SOAKING = "Soaking"
    AWAITING_PROMOTION = "AwaitingPromotion"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    """Nobody waits for it any more: the rollout was promoted past it, or ended before it."""


class BatchStatus(Resource):
    """How far a batch is. The counts of devices are of its own devices only."""

    name: DnsLabel
    phase: BatchPhase = BatchPhase.PENDING
    total: Count = 0
    succeeded: Count = 0
    failed: Count = 0
    in_flight: Count = 0
    """Told to update, reachable, and not there yet."""
    offline: Count = 0
    """Out of reach, and waited for until their deadline."""
    stranded: Count = 0
    """Out of reach beyond their deadline: they catch up on return, and nobody waits for them."""
    forgiven: Count = 0
    """Failures that a person said do not matter, by resuming."""
    started_at: Timestamp | None = None
    soaking_since: Timestamp | None = None
    finished_at: Timestamp | None = None


class RolloutPhase(StrEnum):
    """Where a rollout stands."""

    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    COMPLETED = "Completed"
    ABORTED = "Aborted"
    REVERTED = "Reverted"


class Released(Resource):
    """Which devices a rollout has told to update: all of some batches, and part of one.

    A device's place within a batch is fixed by a hash of its name, so that a single ``cut`` says
    which of them have been told, however the fleet grows or shrinks meanwhile.
    """

    batches: Annotated[list[Batch], Field(max_length=MAX_BATCHES + 1)] = Field(default_factory=list)
    cuts: Annotated[list[Cut], Field(max_length=MAX_BATCHES + 1)] = Field(default_factory=list)
    """For each batch with a count: the place of its last device; empty where all belong to it."""
    batch: Count = 0
    """The batches before this one have been told entirely."""
    cut: Cut = ""
    """Within the present batch: the place of the last device that was told."""
    held: Annotated[list[DeviceId], Field(max_length=MAX_HELD)] = Field(default_factory=list)
    """Devices up to ``cut`` that were passed over: their group was at its limit."""


class Layer(Resource):
    """A rollout that was superseded or aborted on its way: these devices have its version."""

    revision: RevisionRef
    released: Released


class RolloutStatus(Resource):
    """All that a rollout must know to go on, and what people see of it."""

    phase: RolloutPhase = RolloutPhase.COMPLETED
    reason: Words = ""
    """A word in CamelCase: why it is paused, aborted or reverted."""
    message: Words = ""
    update: RevisionRef
    """The version that is rolled out, or was last."""
    stable: RevisionRef | None = None
    """What all devices run that were told of nothing newer; none before the first rollout ended."""
    layers: Annotated[list[Layer], Field(max_length=REVISION_HISTORY_LIMIT)] = Field(
        default_factory=list
    )
    """Newest first; empty once a rollout has completed."""
    released: Released = Field(default_factory=Released)
    batches: Annotated[list[BatchStatus], Field(max_length=MAX_BATCHES + 1)] = Field(
        default_factory=list
    )
    last_command: Annotated[Text, Field(max_length=64)] = ""
    """The id of the last `RolloutCommand` that was carried out."""
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
