"""A Ray cluster of this machine's processes, each node with a loopback address of its own, and a token."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TOKEN = secrets.token_hex(32)
RAY = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]  # the command, of this Python


def environment(**more: str) -> dict[str, str]:
    """Of a node or a driver that knows the token."""
    path = os.pathsep.join([str(Path(__file__).parent.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    known = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": path}
    return {**os.environ, **known, **more}


def takes_jobs() -> bool:
    """Whether ray[default] is installed, as Ray itself looks."""
    try:
        import ray.dashboard.optional_deps  # noqa: F401
    except ImportError:
        return False
    return True


class RayNodes:
    """Starts and kills nodes; every one is a process group of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}
        self._port = _free_port()
        self.address = f"127.0.0.2:{self._port}"
        self.jobs = f"http://127.0.0.2:{_free_port()}"

    def head(self) -> None:
        """A node that works on nothing. It takes jobs (`jobs`) where ray[default] is installed."""
        options = ["--head", f"--port={self._port}", "--num-cpus=0", f"--include-dashboard={str(takes_jobs()).lower()}"]
        options += ["--dashboard-host=127.0.0.2", f"--dashboard-port={self.jobs.rpartition(':')[2]}"] * takes_jobs()
        self._start("127.0.0.2", [*options, f"--temp-dir={self._folder}"])

    def worker(self, ip: str) -> None:
        """A node for two tasks at a time."""
        self._start(ip, [f"--address={self.address}", "--num-cpus=2"])

    def kill(self, ip: str) -> None:
        """kill -9 the node with all its processes."""
        os.killpg(self._nodes.pop(ip).pid, signal.SIGKILL)

    def close(self) -> None:
        for ip in list(self._nodes):
            self.kill(ip)

    def _start(self, ip: str, options: list[str]) -> None:
        command = [*RAY, "start", "--block", f"--node-ip-address={ip}", "--disable-usage-stats"]
        command += ["--object-store-memory=80000000", *options]
        log = self._folder / f"{ip}.log"
        with open(log, "wb") as out:
            node = subprocess.Popen(command, env=environment(), stdout=out, stderr=out, start_new_session=True)
        self._nodes[ip] = node
        ends = time.monotonic() + 120
        while b"Ray runtime started" not in log.read_bytes():
            if node.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"no Ray node at {ip}: {log.read_text()}")
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        return int(probe.getsockname()[1])
