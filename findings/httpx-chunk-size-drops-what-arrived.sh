#!/usr/bin/env bash
# httpx, iter_raw(N) and iter_bytes(N): when the connection breaks, what has arrived since the last full chunk is thrown away.
# Without a chunk size every byte that arrived is given out before the error. Who resumes a download at the length of its
# file fetches up to N bytes again after each break.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q httpx==0.28.1
venv/bin/python - <<'PY'
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx

PROMISED, SENT, CHUNK = 2_000_000, 1_500_000, 1_000_000


class Breaks(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(PROMISED))
        self.end_headers()
        self.wfile.write(bytes(SENT))

    def log_message(self, *given):
        pass


server = HTTPServer(("127.0.0.1", 0), Breaks)
threading.Thread(target=server.serve_forever, daemon=True).start()


def received(method, *size):
    got = 0
    try:
        with httpx.stream("GET", f"http://127.0.0.1:{server.server_port}") as response:
            for part in getattr(response, method)(*size):
                got += len(part)
    except httpx.RemoteProtocolError as error:
        return got, type(error).__name__
    return got, None


found = {f"{method}{size}": received(method, *size) for method in ("iter_raw", "iter_bytes") for size in ((), (CHUNK,))}
print("httpx", httpx.__version__, "of", SENT, "bytes that were sent:", found)
assert [got for got, _ in found.values()] == [SENT, CHUNK, SENT, CHUNK]
assert {name for _, name in found.values()} == {"RemoteProtocolError"}
PY
