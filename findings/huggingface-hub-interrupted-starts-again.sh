#!/usr/bin/env bash
# huggingface_hub 2.4: a download that is stopped (Ctrl-C, a killed connection, a full disk) begins again at byte 0. The part
# that was fetched is deleted; earlier versions kept it as BLOB.incomplete and asked for the rest. Only retries inside
# one call resume. Ten minutes into a large model, Ctrl-C costs ten minutes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q huggingface_hub==2.4.0
export HF_HOME="$work/home" HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_PROGRESS_BARS=1
venv/bin/python - <<'PY'
import hashlib
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

CONTENT = bytes(range(256)) * (40 << 12)  # 40 MiB; the client writes 10 MiB at a time
HALF, COMMIT = len(CONTENT) // 2, "a" * 40
half_sent, asked = threading.Event(), []


class Hub(BaseHTTPRequestHandler):
    def headers_of(self):
        self.send_response(200)
        for name, value in {"ETag": hashlib.sha256(CONTENT).hexdigest(), "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes",
                            "Content-Length": str(len(CONTENT))}.items():
            self.send_header(name, value)
        self.end_headers()

    do_HEAD = headers_of

    def do_GET(self):
        asked.append(self.headers.get("Range"))
        self.headers_of()
        if len(asked) > 1:
            self.wfile.write(CONTENT)
            return
        self.wfile.write(CONTENT[:HALF])
        self.wfile.flush()
        half_sent.set()
        threading.Event().wait(20)

    def log_message(self, *given):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
server.daemon_threads, server.handle_error = True, lambda *given: None  # the client that is stopped
threading.Thread(target=server.serve_forever, daemon=True).start()
environment = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
command = [sys.executable, "-c", "from huggingface_hub import hf_hub_download; hf_hub_download('a/b', 'model.bin')"]
blobs = Path(os.environ["HF_HOME"]) / "hub/models--a--b/blobs"


def fetched():
    return sum(file.stat().st_size for file in blobs.glob("*")) if blobs.is_dir() else 0


first = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
half_sent.wait(60)
while fetched() < HALF // 2:
    threading.Event().wait(0.1)
before = fetched()
first.send_signal(signal.SIGINT)
first.wait(30)
left = fetched()
subprocess.run(command, env=environment, check=True)
print("huggingface_hub", version("huggingface_hub"), "had", before, "bytes, kept", left, "and asked again with Range:", asked[1])
assert before > 0 and left == 0 and asked[1] is None
PY
