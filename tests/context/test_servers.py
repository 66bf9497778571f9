"""In through web servers: OpenTelemetry's own instrumentations read the request's baggage, streamed answers keep it."""

from __future__ import annotations

import json

import pytest

from tests.context.test_processes import JOB
from tests.e2e.conftest import Scene

ASKING = """
import json, threading, urllib.request
def ask(port, *paths):
    seen = {}
    for path in paths:
        for user in ("u-7", None):
            headers = {} if user is None else {"baggage": f"user.id={user},theirs=kept"}
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
            with urllib.request.urlopen(request) as answer:
                seen.setdefault(path, []).append(json.loads(answer.read()).get("user"))
    return seen
"""

FASTAPI = """
import asyncio, uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from job import who

app, background = FastAPI(), []

@app.get("/async")
async def in_the_loop():
    return who()
@app.get("/sync")
def in_a_thread():
    return who()
@app.get("/stream")
def streamed():
    return StreamingResponse(json.dumps(who()) for _ in range(1))
@app.get("/async-stream")
async def streamed_in_the_loop():
    async def pieces():
        await asyncio.sleep(0)
        yield json.dumps(who())
    return StreamingResponse(pieces())
@app.get("/later")
def later(tasks: BackgroundTasks):
    place = len(background)  # what is done behind an answer may be done after that of the next
    background.append("not done yet")
    tasks.add_task(lambda: background.__setitem__(place, who().get("user")))
    return {}

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        started.set()

started = threading.Event()
server = Server(uvicorn.Config(app, port=0, log_level="error"))
running = threading.Thread(target=server.run)
running.start()
started.wait(30)
port = server.servers[0].sockets[0].getsockname()[1]
seen = ask(port, "/async", "/sync", "/stream", "/async-stream", "/later")
server.should_exit = True
running.join()
print(json.dumps([seen, background]))
"""


def test_an_asgi_service_works_for_whom_its_caller_named(scene: Scene) -> None:
    """FastAPI on uvicorn: in the loop, in its threads, in streamed answers and in what is done behind them."""
    (scene.folder / "job.py").write_text(JOB)

    done = scene.run_bare(ASKING + FASTAPI)

    assert done.returncode == 0, done.stderr
    seen, background = json.loads(done.stdout)
    assert background == ["u-7", None]
    assert seen == {
        "/later": [None, None],
        **dict.fromkeys(("/async", "/sync", "/stream", "/async-stream"), background),
    }


FLASK = """
from flask import Flask, Response, stream_with_context
app = Flask("app")

@app.get("/plain")
def plain():
    return who()
@app.get("/stream")
def streamed():
    return Response(json.dumps(who()) for _ in range(1))
@app.get("/stream-in-request")
def streamed_in_request():
    return Response(stream_with_context(json.dumps(who()) for _ in range(1)))
"""

DJANGO_SETTINGS = """
ROOT_URLCONF, ALLOWED_HOSTS, SECRET_KEY, LOGGING_CONFIG = "__main__", ["*"], "x", None
"""

DJANGO = """
import django
django.setup()
from django.core.handlers.wsgi import WSGIHandler
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path

def plain(request):
    return JsonResponse(who())
def streamed(request):
    return StreamingHttpResponse(json.dumps(who()) for _ in range(1))
urlpatterns = [path("plain", plain), path("stream", streamed), path("stream-in-request", streamed)]
app = WSGIHandler()
"""

WSGI = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from job import who
class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        pass
{app}
server = make_server("127.0.0.1", 0, app, Server, Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps(ask(server.server_port, "/plain", "/stream", "/stream-in-request")))
server.shutdown()
"""


@pytest.mark.parametrize("app", [FLASK, DJANGO], ids=["flask", "django"])
def test_a_wsgi_service_works_for_whom_its_caller_named(app: str, scene: Scene) -> None:
    """What is streamed, too, which the server reads after the request has ended."""
    (scene.folder / "job.py").write_text(JOB)
    (scene.folder / "its_settings.py").write_text(DJANGO_SETTINGS)
    environ = {"DJANGO_SETTINGS_MODULE": "its_settings", "PYTHONPATH": str(scene.folder)}

    done = scene.run_bare(ASKING + WSGI.format(app=app), **environ)

    assert done.returncode == 0, done.stderr
    users = ["u-7", None]
    assert json.loads(done.stdout) == {"/plain": users, "/stream": users, "/stream-in-request": users}
