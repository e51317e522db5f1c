"""A real Kubernetes API server for tests: of the machine's own kind, or one that is named.

``FLEET_TEST_KUBECONFIG`` names one that runs. Else the script ``kube`` starts one: named by
``FLEET_TEST_KUBE``, or found where the workshop keeps it, beside the checkout.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO, Any

import yaml

from fleet_core.contracts.crds import custom_resource_definitions
from fleet_core.contracts.resources import API_GROUP, API_VERSION

START_DEADLINE_S = 60
_BESIDE = Path(__file__).parents[3] / "shared" / "kube" / "kube"


def _script() -> Path | None:
    named = os.environ.get("FLEET_TEST_KUBE")
    script = Path(named) if named else _BESIDE
    return script if script.exists() else None


def why_not() -> str:
    """Say why there can be no API server here; empty where there can."""
    if os.environ.get("FLEET_TEST_KUBECONFIG"):
        return ""
    script = _script()
    if script is None:
        return "neither FLEET_TEST_KUBECONFIG nor FLEET_TEST_KUBE is set"
    if os.geteuid() != 0:
        return "not root: the API server of the tests is started as root"
    for program in ("kubectl", "etcd", "curl", "openssl", "xz"):
        if subprocess.run(["which", program], check=False, capture_output=True).returncode:
            return f"{program} is not installed ({script.name} install)"
    return ""


class KubernetesMachine:
    """An API server with the fleet's CustomResourceDefinitions."""

    def __init__(self) -> None:
        named = os.environ.get("FLEET_TEST_KUBECONFIG")
        self._script = None if named else _script()
        self._lab = tempfile.mkdtemp(prefix="fleet-kube-", dir="/tmp") if self._script else ""
        self._lock: IO[str] | None = None
        self.kubeconfig = named or f"{self._lab}/kubeconfig"

    @property
    def can_be_killed(self) -> bool:
        """Whether it is the tests' own."""
        return self._script is not None

    def up(self) -> None:
        """Start it, unless it was named, and define the fleet's resources."""
        if self._script is not None:
            # The port is fixed: one at a time on a machine.
            path = Path(tempfile.gettempdir()) / "fleet-kube.lock"
            self._lock = path.open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._run("up", "--no-node")
        definitions = custom_resource_definitions()
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(definitions))
        for definition in definitions:
            name = f"crd/{definition['metadata']['name']}"
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", name)

    def down(self) -> None:
        """End it, if it is the tests' own."""
        if self._script is not None:
            # It answers with an error where there was no node to take down.
            self._run("down", check=False)
            shutil.rmtree(self._lab, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill_api(self) -> None:
        """Kill the API server; what it stores stays."""
        self._run("kill-api")

    def start_api(self) -> None:
        """Start the API server again."""
        self._run("start-api")

    def compact(self) -> None:
        """Forget the history of all changes: whoever watches from before is told 410 Gone."""
        self._run("compact")

    def kubectl(self, *words: str, stdin: str = "", check: bool = True) -> str:
        """Run kubectl as an administrator; returns what it wrote, its errors too."""
        done = subprocess.run(
            ["kubectl", "--kubeconfig", self.kubeconfig, *words],
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=START_DEADLINE_S,
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout + done.stderr

    def get(self, kind: str, name: str, namespace: str = "default") -> Any:
        """Return an object; None if there is none."""
        text = self.kubectl(
            *("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
        )
        return json.loads(text) if text.strip() else None

    def apply(self, *resources: dict[str, Any]) -> None:
        """Apply resources as a person does."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(list(resources)))

    def clean(self) -> None:
        """Remove what a test left; finalizers hold nothing up."""
        kinds = ("deployments.fleet.nationtech.io", "devices.fleet.nationtech.io")
        for kind in kinds:
            found = json.loads(self.kubectl("get", kind, "-A", "-o", "json"))["items"]
            for each in found:
                if each["metadata"].get("finalizers"):
                    self._drop_finalizers(kind, each["metadata"])
            scope = ["-A"] if kind.startswith("deployments") else []
            self.kubectl("delete", kind, "--all", *scope, "--wait=false")
        # What is the fleet's, and nothing else: the cluster may be somebody's own.
        self.kubectl("delete", "lease", "fleet-operator", "-n", "default", "--ignore-not-found")
        for kind, selector in (
            ("controllerrevisions", f"--selector={API_GROUP}/deployment"),
            ("events", f"--field-selector=involvedObject.apiVersion={API_VERSION}"),
        ):
            self.kubectl("delete", kind, selector, "-A", "--wait=false")

    def _drop_finalizers(self, kind: str, metadata: dict[str, Any]) -> None:
        words = ["-n", metadata["namespace"]] if "namespace" in metadata else []
        patch = '{"metadata":{"finalizers":null}}'
        self.kubectl(
            "patch", kind, metadata["name"], *words, "--type=merge", "-p", patch, check=False
        )

    def _run(self, *words: str, check: bool = True) -> None:
        assert self._script is not None, "this API server is not the tests' own"
        environment = {**os.environ, "KUBE_LAB": self._lab}
        done = subprocess.run(
            ["bash", str(self._script), *words],
            env=environment,
            check=False,
            # Pipes would be held open by the servers that it starts.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=START_DEADLINE_S * 2,
        )
        message = f"kube {' '.join(words)} failed; see {self._lab}/*.log"
        assert done.returncode == 0 or not check, message
