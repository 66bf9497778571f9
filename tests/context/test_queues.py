"""Queues of jobs: each job is for whoever gave it, in a worker that runs for nobody."""

from __future__ import annotations

import json
import signal

import pytest

from otel_llmcost.instrumentation import hops
from tests.context.test_processes import JOB
from tests.e2e.conftest import Scene

APP = """
import os
from pathlib import Path
from celery import Celery
from job import who

folder = Path(os.environ["BROKER"])
(folder / "results").mkdir(exist_ok=True)
app = Celery("app", broker="filesystem://", backend=f"file://{folder}/results")
app.conf.broker_transport_options = {
    "data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(folder)
}

@app.task
def ask(*_):
    return who()

@app.task(bind=True)
def header(self):
    return self.request.baggage

@app.task(bind=True, max_retries=1)
def again(self):
    if not self.request.retries:
        raise self.retry(countdown=0)
    return who()
"""

GIVE = """
import json
from celery import chain
from opentelemetry import baggage, context
from otel_llmcost import attribute
from app import again, ask, header

context.attach(baggage.set_baggage("theirs", "kept"))
with attribute(user="u-7", agent="a"):
    jobs = [header.delay(), ask.delay(), again.delay(), chain(ask.s(), ask.s())()]
jobs.append(ask.delay())
print(json.dumps([job.get(timeout=50) for job in jobs] + [ask.apply().get()]))
"""


@pytest.mark.parametrize(
    ("disabled", "carried"),
    [
        pytest.param("none", {"theirs=kept", "user.id=u-7", "gen_ai.agent.name=a"}, id="beside-the-official"),
        pytest.param("celery", {"user.id=u-7", "gen_ai.agent.name=a"}, id="alone"),
    ],
)
def test_a_celery_task_is_for_whoever_gave_it(disabled: str, carried: set[str], scene: Scene) -> None:
    """A real worker that forks; through a retry and along a chain; alone, we write our own keys and nothing else."""
    (scene.folder / "job.py").write_text(JOB)
    (scene.folder / "app.py").write_text(APP)
    (scene.folder / "broker").mkdir()
    environ = {
        "BROKER": str(scene.folder / "broker"),
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled,
        "PYTHONPATH": str(scene.folder),
    }
    celery = "from celery.__main__ import main; main()"
    arguments = "-A app worker -c 1 -l error --without-gossip --without-mingle --without-heartbeat"
    worker = scene.start_bare(f"import sys; sys.argv[1:] = {arguments.split()!r}; {celery}", **environ)

    done = scene.run_bare(GIVE, **environ)

    worker.send_signal(signal.SIGTERM)
    assert done.returncode == 0, done.stderr + worker.communicate(timeout=30)[1]
    named = {"user": "u-7", "agent": "a"}
    header, *seen = json.loads(done.stdout)
    assert set(header.split(",")) == carried
    assert seen == [named, named, named, {}, {}]


RQ = """
import fakeredis, json, rq
from job import who, who_later
from otel_llmcost import attribute

connection = fakeredis.FakeStrictRedis()
queue, theirs = rq.Queue(connection=connection), {"theirs": 1}
with attribute(user="u-7", agent="a"):
    jobs = [
        queue.enqueue(who, meta=theirs), queue.enqueue(who_later), *queue.enqueue_many([rq.Queue.prepare_data(who)])
    ]
jobs.append(queue.enqueue(who))
rq.SimpleWorker([queue], connection=connection).work(burst=True, logging_level="ERROR")
print(json.dumps([[job.latest_result().return_value for job in jobs], who(), theirs, jobs[0].meta["theirs"]]))
"""


def test_an_rq_job_is_for_whoever_gave_it(scene: Scene) -> None:
    """No official instrumentation knows RQ; the caller's own `meta` stays what it is."""
    (scene.folder / "job.py").write_text(JOB + "async def who_later():\n    return who()\n")

    done = scene.run_bare(RQ)

    assert done.returncode == 0, done.stderr
    named = {"user": "u-7", "agent": "a"}
    assert json.loads(done.stdout) == [[named, named, named, {}], {}, {"theirs": 1}, 1]


@pytest.mark.usefixtures("carrying")
def test_nothing_of_ours_stays_in_celery_and_rq_when_we_leave():
    from celery import signals
    from rq.job import Job

    every = (signals.before_task_publish, signals.task_prerun, signals.task_postrun)
    ours = [len(signal.receivers) for signal in every]
    hops.remove()

    assert [len(signal.receivers) for signal in every] == [count - 1 for count in ours]
    assert not [name for name in ("create", "perform") if hasattr(vars(Job)[name], "_self_wrapper")]
