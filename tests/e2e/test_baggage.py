"""Who a call is for, said by the service that asked: it comes in by the W3C header of an HTTP request."""

from __future__ import annotations

from tests.e2e.conftest import Scene, budget

SERVICE = """
from http.server import BaseHTTPRequestHandler, HTTPServer
from opentelemetry import context, propagate

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        token = context.attach(propagate.extract({name.lower(): value for name, value in self.headers.items()}))
        try:
            tries(1)
        finally:
            context.detach(token)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass

import threading, urllib.request
httpd = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=httpd.serve_forever, daemon=True).start()
TRACE = "0af7651916cd43dd8448eb211c80319c"
for user in ("alice%40corp", "alice%40corp", "bob"):
    headers = {
        "baggage": f"user.id={user},llmcost.team=support,theirs=kept",
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    }
    request = urllib.request.Request(f"http://127.0.0.1:{httpd.server_port}/", headers=headers)
    urllib.request.urlopen(request).close()
httpd.shutdown()
"""


def test_a_callers_baggage_attributes_and_limits_the_calls(scene: Scene) -> None:
    """In by `opentelemetry.propagate.extract`, as every HTTP instrumentation does it; not on to the provider."""
    scene.configure(budget(1.5, 'per = ["user"]', 'scope = { team = "support" }'))

    done = scene.run(SERVICE)

    assert done.stdout.split() == ["sent", "refused", "sent"], done.stderr
    assert sorted(charge.tags["user"] for charge in scene.charges) == ["alice@corp", "bob"]
    assert {charge.tags["team"] for charge in scene.charges} == {"support"}
    assert {charge.trace_id for charge in scene.charges} == {"0af7651916cd43dd8448eb211c80319c"}
    assert not [
        name for request in scene.server.requests for name in request.headers if "alice" in request.headers[name]
    ]
