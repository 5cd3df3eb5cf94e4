"""A portal over the sandbox's hubs, for the tests of what client programs are served."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from hub_world import settings_of
from mail_servers import free_port

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.settings.model import Settings
from geobservatory.settings.portal import Role
from portal.access.passwords import hashed
from portal.app import create_app

USER, PASSWORD = "ada", "correct-horse-battery"
READER = "bob"
WHO = (USER, PASSWORD)


@contextmanager
def serving(settings: Settings, opened: Callable[[], Catalog]) -> Iterator[str]:
    """Serve the portal."""
    port = free_port()
    app = create_app(settings, opened)
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False)
    server = uvicorn.Server(config)
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


def add_accounts(catalog: Catalog) -> None:
    """Add who may download, and who may read only."""
    catalog.add_account(USER, Role.DOWNLOADER, hashed(PASSWORD))
    catalog.add_account(READER, Role.READER, hashed(PASSWORD))


@contextmanager
def portal_over(
    addresses: Addresses, database_url: str, folder: Path, **changes: Any
) -> Iterator[tuple[str, Catalog]]:
    """Serve a portal over the hubs of a world, to `USER` and `READER`."""
    given = settings_of(addresses, folder / "data")
    with serving_settings(given.model_copy(update=changes), database_url) as opened:
        yield opened


@contextmanager
def serving_settings(settings: Settings, database_url: str) -> Iterator[tuple[str, Catalog]]:
    """Serve a portal of some settings, to `USER` and `READER`."""
    with open_catalog(database_url) as catalog:
        add_accounts(catalog)
        with serving(settings, lambda: open_catalog(database_url)) as address:
            yield address, catalog
