"""What is done to accounts from the command line is written down too."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from geobservatory.catalog.database import Catalog, open_configured_catalog
from geobservatory.settings import load_settings

_HERE = "console"


@contextmanager
def recorded(action: str, of: str) -> Iterator[Catalog]:
    """Do something to accounts, and write down who did and whether it was done."""
    with open_configured_catalog(load_settings()) as catalog:
        try:
            yield catalog
        except Exception:
            catalog.note_audit(_user(), _HERE, action, of, "failed")
            raise
        catalog.note_audit(_user(), _HERE, action, of, "done")


def _user() -> str:
    try:
        return f"{getpass.getuser()} (console)"
    except (KeyError, OSError):
        # A number that no file of users names.
        return "(console)"
