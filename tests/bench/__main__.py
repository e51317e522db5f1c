"""The benchmarks, on real parts: ``python -m tests.bench NAME [options]``.

Figures are printed with the machine they were taken on; where a claim is about growth, the ratio to
a baseline of the same run is what counts.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys

BENCHMARKS = {
    "agent": "import to first heartbeat, memory, idle CPU of one agent",
    "cluster": "the operator on a Kubernetes API server with 10,000 devices",
    "messaging": "snapshot, following, acked writes, scatter, import",
    "operator": "apply to 10,000 devices, aggregation, cost of a put as the fleet grows",
    "ping": "ping of 10,000 devices, and `fleet ping` as a whole process",
    "podman": "spec change to a running service, overhead over bare podman, calls, an idle device",
    "tui": "first paint, key to paint, CPU, bytes to the terminal, memory",
    "view": "ingest, filter and tick of the read model",
}


def main(argv: list[str]) -> int:
    """Run one benchmark, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = "\n".join(f"  {name:10} {what}" for name, what in BENCHMARKS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"benchmarks:\n{names}"
    parser.add_argument("name", choices=[*BENCHMARKS, "all"])
    parser.add_argument("options", nargs=argparse.REMAINDER)
    chosen = parser.parse_args(argv)
    print(f"# {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    for name in BENCHMARKS if chosen.name == "all" else [chosen.name]:
        print(f"\n## {name}: {BENCHMARKS[name]}", flush=True)
        importlib.import_module(f"tests.bench.{name}").main(chosen.options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
