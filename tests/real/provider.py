"""A provider whose answers all cost the same, some of them known only later."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

Json = dict[str, Any]

ANSWER_USD = "0.2"
"""Of gpt-4o: 40,000 tokens at 2.50 USD a million, 10,000 at 10."""
_CHAT = {
    "object": "chat.completion",
    "created": 0,
    "model": "gpt-4o",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "More."}}],
    "usage": {"prompt_tokens": 40_000, "completion_tokens": 10_000, "total_tokens": 50_000},
}
_QUEUED: Json = {"object": "response", "created_at": 0, "model": "gpt-4o", "status": "queued", "output": []}
_KNOWN: Json = {
    **_QUEUED,
    "status": "completed",
    "usage": {"input_tokens": 40_000, "output_tokens": 10_000, "total_tokens": 50_000},
}


@contextmanager
def provider() -> Iterator[str]:
    """Answer chats at once, and responses when they are looked at; give the `base_url`."""
    numbers = count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            is_chat = self.path.endswith("/chat/completions")
            self._answer(
                {**_CHAT, "id": f"chat_{next(numbers)}"} if is_chat else {**_QUEUED, "id": f"resp_{next(numbers)}"}
            )

        def do_GET(self) -> None:
            self._answer({**_KNOWN, "id": self.path.rpartition("/")[2]})

        def _answer(self, body: Json) -> None:
            raw = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Requests are no news."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
