"""What an agent keeps on disk while it works, and what it finds there when it starts."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fleet_agent.saved_logs import SavedLogs
from fleet_agent.storage.state_folder import (
    AgentRecord,
    DesiredSet,
    Remembered,
    StateFolder,
    folder_of,
)
from fleet_core.contracts.scores import spec_hash
from fleet_core.errors import InvalidInputError

if TYPE_CHECKING:
    from fleet_agent.agent import DeviceIdentity
    from fleet_agent.config_model import AgentSection
    from fleet_agent.reconcile.reconciler import Reconciler
    from fleet_core.clock import Clock
    from fleet_core.contracts.devices import DeviceManifest, ManifestEntry
    from fleet_core.contracts.scores import Score
    from fleet_core.messaging import LinkStatus


def open_keeper(section: AgentSection) -> Keeper | None:
    """Read what an earlier agent of this device has kept; None where nothing outlives the agent.

    Reads files: not for an event loop.

    Raises:
        InvalidInputError: the folder is another device's.
    """
    if not section.runtime_enabled or section.runtime == "simulated":
        return None
    folder = StateFolder(folder_of(section.state_dir))
    owner = folder.read_agent()
    if owner is not None and owner.device_id != section.device_id:
        raise InvalidInputError(
            f"{folder.folder} holds the state of device {owner.device_id}",
            path="agent.state_dir",
            expected=f"a folder of {section.device_id}'s own",
            remedy="set [agent] state_dir, or remove the folder if that device is no more",
        )
    return Keeper(folder, folder.read())


class Keeper:
    """Keeps the desired set and what ``fleet-agent status`` shows; recalls what was kept."""

    def __init__(self, folder: StateFolder, remembered: Remembered) -> None:
        self.folder = folder
        self.remembered = remembered
        self._desired = remembered.desired
        self._record: AgentRecord | None = None

    @property
    def manifest(self) -> DeviceManifest | None:
        """The manifest that was obeyed last."""
        return None if self._desired is None else self._desired.manifest

    def held(self) -> dict[str, str]:
        """Return the hashes of the scores that are at hand, of those that the manifest names."""
        return {name: entry.spec_hash for name, entry, _ in self._complete()}

    def saved_logs(self) -> SavedLogs:
        """Return the saved logs as an earlier agent left them; they are kept from now on."""
        return SavedLogs(keep=self.folder.keep_log, kept=self.remembered.logs)

    def recall(self, reconciler: Reconciler) -> None:
        """Have the device run what it ran, before anybody was asked."""
        desired = self._desired
        for name, memory in self.remembered.deployments.items():
            if desired is None or name in desired.manifest.deployments:
                reconciler.recall(name, memory)
            else:
                self.folder.keep_memory(name, None)
        for key in self.remembered.logs:
            if desired is not None and key.deployment not in desired.manifest.deployments:
                self.folder.keep_log(key, None)
        if desired is not None:
            reconciler.on_manifest(desired.manifest)
        for name, entry, score in self._complete():
            reconciler.on_score(name, entry, score)

    def on_manifest(self, manifest: DeviceManifest) -> None:
        """Keep a newer manifest, with the scores that are at hand."""
        known = {} if self._desired is None else self._desired.scores
        scores = {name: score for name, score in known.items() if name in manifest.deployments}
        self._keep(DesiredSet(manifest=manifest, scores=scores))

    def on_score(self, deployment: str, score: Score) -> None:
        """Keep a score that the manifest names."""
        if self._desired is not None:
            scores = {**self._desired.scores, deployment: score}
            self._keep(DesiredSet(manifest=self._desired.manifest, scores=scores))

    def on_start(self, identity: DeviceIdentity, clock: Clock) -> None:
        """Keep who is at work."""
        self._record = AgentRecord(
            device_id=identity.device_id,
            agent_version=identity.agent_version,
            pid=os.getpid(),
            boot_id=identity.boot_id,
            started_at=datetime.fromtimestamp(int(clock.now()), UTC),
            runtime=identity.inventory.runtime or "",
        )
        self.folder.keep_agent(self._record)

    def on_link(self, status: LinkStatus, clock: Clock) -> None:
        """Keep whether there is a link."""
        if self._record is None or self._record.link == status.state.value:
            return
        self._record = self._record.model_copy(
            update={
                "link": status.state.value,
                "link_since": datetime.fromtimestamp(int(clock.now()), UTC),
                "link_error": (status.last_error or "")[:1_024],
            }
        )
        self.folder.keep_agent(self._record)

    def _keep(self, desired: DesiredSet) -> None:
        self._desired = desired
        self.folder.keep_desired(desired)

    def _complete(self) -> list[tuple[str, ManifestEntry, Score]]:
        if self._desired is None:
            return []
        scores = self._desired.scores
        return [
            (name, entry, scores[name])
            for name, entry in self._desired.manifest.deployments.items()
            if name in scores and spec_hash(scores[name]) == entry.spec_hash
        ]
