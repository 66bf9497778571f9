"""Servers that open the ledger, fork, and go on in parent and children."""

from __future__ import annotations

from pathlib import Path

from tests.storage.books import USD, Books, budget
from tests.storage.processes import Process

_PREFORK = """
import json, os, signal, sys
from otel_llmcost.storage import open_store
from otel_llmcost.storage.writer import Writer
from tests.storage.books import NOW, Books, budget

signal.alarm(30)
books = Books(open_store("sqlite://" + sys.argv[1]), [budget(limit="1000")])
writer = Writer(books.store, now=lambda: NOW)

def calls(count):
    for _ in range(count):
        hold = books.hold(1)
        assert writer.reserve(hold) is None
        writer.settle(books.posting(hold, 1))

calls(20)
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        assert writer.waiting == 0
        calls(10)
        os._exit(0 if writer.close() and not writer.lost else 1)
    children.append(child)
    calls(5)
codes = [os.waitpid(child, 0)[1] for child in children]
writer.close()
print(json.dumps(codes + [writer.lost]), flush=True)
"""
_FORK_AMID_WORK = """
import json, os, signal, sys, threading
from otel_llmcost.storage import open_store
from tests.storage.books import Books, budget

signal.alarm(30)
books = Books(open_store(sys.argv[1]), [budget(limit="1000000")])
is_over = False

def work():
    while not is_over:
        hold = books.reserve(1)
        books.store.settle([books.posting(hold, 1)])

thread = threading.Thread(target=work)
thread.start()
codes = []
for _ in range(20):
    child = os.fork()
    if not child:
        hold = books.reserve(1)
        books.store.settle([books.posting(hold, 1)])
        os._exit(0)
    codes.append(os.waitpid(child, 0)[1])
is_over = True
thread.join()
reserved = books.balance().reserved_nano
print(json.dumps(codes + [reserved]), flush=True)
"""
_FORK_WITH_A_CALL_UNDER_WAY = """
import json, os
from otel_llmcost.storage import open_store
from tests.storage.books import Books

books = Books(open_store("memory://"))
books.spend(3)
hold = books.reserve(2)
child = os.fork()
if not child:
    balance = books.balance()
    print(json.dumps([balance.settled_nano, balance.reserved_nano]), flush=True)
    os._exit(0)
os.waitpid(child, 0)
assert books.balance().reserved_nano
"""


def test_a_preforking_server_writes_each_call_once(tmp_path: Path, open_file) -> None:
    assert Process(_PREFORK, tmp_path / "ledger.db").answer() == [0, 0, 0, 0, 0]

    balance = Books(open_file(), [budget(limit="1000")]).balance()
    assert (balance.settled_nano, balance.calls, balance.reserved_nano) == (80 * USD, 80, 0)


def test_a_fork_amid_the_work_of_another_thread_harms_neither_side(tmp_path: Path) -> None:
    for url in ("memory://", f"sqlite://{tmp_path}/ledger.db"):
        assert Process(_FORK_AMID_WORK, url).answer() == [0] * 21


def test_a_child_knows_what_was_spent_but_has_no_call_of_its_parent_under_way() -> None:
    assert Process(_FORK_WITH_A_CALL_UNDER_WAY).answer() == [3 * USD, 0]
