"""Senders killed at any moment: nothing is lost, nobody is told twice, what is in doubt says so."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import psutil
import pytest
from mail_servers import Mailbox, mail_server

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.events.form import ActivationForm
from geobservatory.notify.deliver import deliver, queue
from geobservatory.notify.message import of_start
from geobservatory.settings.model import Notification, Settings

pytestmark = pytest.mark.server

# Forks a sender for each line: importing anew for each would take longer than all the sending.
_SENDERS = """
import os, signal, sys
from pathlib import Path
from geobservatory.catalog.database import Catalog, open_engine
from geobservatory.notify.deliver import deliver
from geobservatory.settings.model import Notification, Settings
told = Settings(data_dir=Path(sys.argv[1]), notification=Notification(
    smtp_host="127.0.0.1", smtp_port=int(sys.argv[2]), sender="geobs@example.org"))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
with Catalog(open_engine(sys.argv[3])) as catalog:
    catalog.notices()
for _ in sys.stdin:
    sender = os.fork()
    if sender == 0:
        with Catalog(open_engine(sys.argv[3])) as catalog:
            deliver(told, catalog)
        os._exit(0)
    print(sender, flush=True)
"""
_RECIPIENTS, _AT_RANDOM = 150, 25


@contextmanager
def senders(folder: Path, port: int, database_url: str) -> Iterator[Callable[[], psutil.Process]]:
    command = [sys.executable, "-c", _SENDERS, str(folder), str(port), database_url]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None

        def start() -> psutil.Process:
            print(file=parent.stdin)
            return psutil.Process(int(parent.stdout.readline()))

        yield start
        parent.stdin.close()


def gone(process: psutil.Process) -> None:
    psutil.wait_procs([process], timeout=60)
    assert not process.is_running()


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


@pytest.mark.slow
def test_killed_at_any_moment(database_url: str, catalog: Catalog, tmp_path: Path) -> None:
    chance = random.Random(7)
    everybody = tuple(f"{number}@example.org" for number in range(_RECIPIENTS))
    form = ActivationForm(
        event_time=datetime(2023, 9, 8, 23, 0, tzinfo=UTC), longitude=-8.4, latitude=31.1
    )
    activation = catalog.request_activation(form.to_request())[0]
    with mail_server() as box, senders(tmp_path, box.port, database_url) as start:
        told = Settings(
            data_dir=tmp_path,
            notification=Notification(
                smtp_host="127.0.0.1",
                smtp_port=box.port,
                sender="geobs@example.org",
                recipients=everybody,
            ),
        )
        queue(told, catalog, activation, "activation-started", "", of_start(activation))
        for step in ("MAIL", "RCPT", "DATA") * 2:
            _kill_at(box, step, start)
        in_doubt = 2
        for _ in range(_AT_RANDOM):
            # Two at once; the first word of one to the server says that it is under way.
            running, killed = Event(), [start(), start()]
            box.watch = lambda step, running=running: running.set()
            running.wait(5)
            time.sleep(chance.uniform(0, 0.15))
            for process in killed:
                os.kill(process.pid, signal.SIGKILL)
            for process in killed:
                gone(process)
        before = Counter(one.state for one in catalog.notices(limit=1000))
        # All leases have run out; two finish the work.
        later = datetime.now(UTC) + timedelta(hours=1)
        deliver(told, catalog, lambda: later)
        notices = catalog.notices(limit=1000)
        arrived = Counter(str(one["To"]) for one in box.messages)
        by_state = {
            state: {one.recipient for one in notices if one.state == state}
            for state in ("sent", "uncertain")
        }

        # The kills hit what they were meant to.
        assert before["taken"] > 10
        assert before["sent"] > 10
        assert in_doubt <= len(by_state["uncertain"]) <= in_doubt + 2 * _AT_RANDOM
        # Nothing is lost: everybody has the message, or it is in doubt.
        assert by_state["sent"] | by_state["uncertain"] == set(everybody)
        assert set(arrived) >= by_state["sent"]
        # Nobody is told twice.
        assert max(arrived.values()) == 1
        doubtful_but_arrived = by_state["uncertain"] & set(arrived)
        assert len(doubtful_but_arrived) >= in_doubt

        # A person asks for what is in doubt: only that comes twice, and is known by its identifier.
        catalog.retry_notices(later, activation.id)
        deliver(told, catalog, lambda: later)
        twice = {
            one for one, times in Counter(str(m["To"]) for m in box.messages).items() if times > 1
        }
        assert twice == doubtful_but_arrived
        assert len({one["Message-ID"] for one in box.messages}) == _RECIPIENTS
        assert {one.state for one in catalog.notices(limit=1000)} == {"sent"}
        print(f"\n{dict(before)}; in doubt {len(by_state['uncertain'])}, arrived {len(twice)}")


def _kill_at(box: Mailbox, step: str, start: Callable[[], psutil.Process]) -> None:
    """Kill a sender while the server has heard it and not yet answered."""
    told: list[psutil.Process] = []
    started, dead = Event(), Event()

    def kill(reached: str) -> None:
        if reached == step and not dead.is_set():
            started.wait(10)
            os.kill(told[0].pid, signal.SIGKILL)
            dead.set()

    box.watch = kill
    told.append(start())
    started.set()
    assert dead.wait(30)
    gone(told[0])
    box.watch = lambda reached: None
