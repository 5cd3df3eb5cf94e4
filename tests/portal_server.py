"""A portal over real HTTP, for tests."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mail_servers import free_port

from geobservatory.catalog.database import Catalog
from geobservatory.settings.model import Settings
from portal.app import create_app
from portal.serving import server as make


@contextmanager
def serving(settings: Settings, opened: Callable[[], Catalog], **more: Any) -> Iterator[str]:
    """Serve a portal on a free port; gives its address."""
    with running(create_app(settings, opened, **more)) as address:
        yield address


@contextmanager
def running(app: Any, port: int | None = None) -> Iterator[str]:
    """Run an application on a free port, or on this one; gives its address."""
    port = port or free_port()
    server = make(app, "127.0.0.1", port)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
