"""An OpenAI-compatible endpoint on loopback that gives scripted answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HEADERS: list[dict[str, str]] = []  # of the requests to the latest server


class Pieces(list[str]):
    """An answer that is streamed where that is asked for. silent_after: the piece after which nothing comes."""

    silent_after: str | None = None


@contextmanager
def server(answers: list[Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A chat endpoint on loopback: each answer is a list of texts, Pieces, a body, an HTTP status, or None for silence.

    A status with a dict is OpenAI's form of an error.
    """
    seen: list[dict[str, Any]] = []
    HEADERS.clear()
    release = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            HEADERS.append({name.lower(): value for name, value in self.headers.items()})
            answer = answers[min(len(seen), len(answers)) - 1]
            if answer is None:
                release.wait(10)
                return
            if isinstance(answer, Pieces) and seen[-1].get("stream"):
                self._send_pieces(answer)
                return
            status = answer if isinstance(answer, int) else 200
            error: Any = None
            if isinstance(answer, tuple):
                status, error = answer
            texts = ["".join(answer)] if isinstance(answer, Pieces) else answer if isinstance(answer, list) else []
            body = json.dumps({"choices": [{"message": {"content": text}} for text in texts]}).encode()
            if isinstance(answer, bytes) or error:
                body = answer if isinstance(answer, bytes) else json.dumps({"error": error}).encode()
            self.send_response(status)
            if status == 302:
                self.send_header("Location", f"http://127.0.0.1:{httpd.server_port}/elsewhere")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _send_pieces(self, pieces: Pieces) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for piece in pieces:
                chunk = json.dumps({"choices": [{"index": 0, "delta": {"content": piece}}]})
                self.wfile.write(f"data: {chunk}\n\n".encode())
                self.wfile.flush()
                if pieces.silent_after == piece:
                    release.wait(10)
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/v1", seen
    finally:
        release.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()
