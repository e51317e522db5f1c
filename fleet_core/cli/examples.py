"""What the help of each sub-command ends with: command lines to copy."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final = {
    "get": """\
  fleet get devices
  fleet get devices 'site=berlin and status!=online' -o wide
  fleet get devices deploy:web=failed -o json | jq -r '.[].id'
  fleet get failures cause~exit""",
    "describe": """\
  fleet describe device berlin-kiosk-017
  fleet describe deployment web -n shop -o yaml""",
    "watch": """\
  fleet watch devices status!=online
  fleet watch deployments -o json""",
    "ping": """\
  fleet ping berlin-kiosk-017
  fleet ping --filter 'site=berlin and age<10m' -o json""",
    "logs": """\
  fleet logs berlin-kiosk-017 web
  fleet logs berlin-kiosk-017 web/migrate --previous --tail 50
  fleet logs -f berlin-kiosk-017 web --since 10m""",
    "exec": """\
  fleet exec berlin-kiosk-017 -d web -- cat /etc/os-release
  fleet exec berlin-kiosk-017 -d web -c main --shell 'ls /data | wc -l'
  fleet exec berlin-kiosk-017 -- uptime
  fleet exec --filter site=berlin -d web --confirm 14 -o json -- date -Is""",
    "redeploy": """\
  fleet redeploy web berlin-kiosk-017
  fleet redeploy web --filter 'deploy:web=failed' --dry-run
  fleet redeploy web --filter site=berlin --yes""",
    "apply": """\
  fleet apply -f web.yaml --dry-run
  fleet apply -f web.yaml --yes
  fleet get deployments web -o yaml | sed s/1.4/1.5/ | fleet apply -f - --yes""",
    "delete": """\
  fleet delete deployment web --dry-run
  fleet delete deployment web -n shop --yes""",
    "rollout status": """\
  fleet rollout status web
  fleet rollout status web --watch && echo done
  fleet rollout status web -o json | jq '.status.rollout.batches'""",
    "rollout history": """\
  fleet rollout history web
  fleet rollout history web --diff 3""",
    "rollout pause": """\
  fleet rollout pause web --yes""",
    "rollout resume": """\
  fleet rollout resume web --yes""",
    "rollout promote": """\
  fleet rollout promote web
  fleet rollout promote web --fully --confirm 1204""",
    "rollout abort": """\
  fleet rollout abort web --yes""",
    "rollout revert": """\
  fleet rollout revert web --dry-run
  fleet rollout revert web --confirm 1204""",
    "rollout undo": """\
  fleet rollout undo web --dry-run
  fleet rollout undo web --to-revision 3 --confirm 1204""",
    "schema": """\
  fleet schema
  fleet schema deployment""",
    "operator": """\
  fleet operator --nats nats://127.0.0.1:4222
  fleet operator --context prod-eu --heartbeat-interval 60
  fleet operator crds | kubectl apply -f -
  fleet operator --nats nats://127.0.0.1:4222 --kubeconfig ~/.kube/config""",
    "version": """\
  fleet version -o json""",
    "demo": """\
  fleet demo
  fleet demo 2000 --seed 7""",
}
"""By sub-command."""

NOTES: Final = {
    "rollout status": """\
exit codes: 0 the rollout is complete, or under way; 1 it is paused, aborted or reverted.""",
    "exec": """\
standard output and standard error are those of the program; of several devices, each line
begins with its device. Its standard input is empty.

exit codes: that of the program; 124 the deadline ended it; 125 fleet itself failed: no link, the
device is offline, refused it or did not answer in time; 2 usage. Of several devices: 0 all ended
with 0, else 1.""",
}
"""What else is to be known of a sub-command."""


def examples_of(command: str) -> str:
    """Return the end of a sub-command's help."""
    note = f"\n\n{NOTES[command]}" if command in NOTES else ""
    return f"examples:\n{EXAMPLES[command]}{note}"
