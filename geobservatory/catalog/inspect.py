"""What a person who looks after the database wants to know of it."""

from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from geobservatory.catalog.database import open_engine
from geobservatory.catalog.migrate import newest_revision, revision
from geobservatory.catalog.tables import Base
from geobservatory.errors import TransientError


def describe(database_url: str) -> dict[str, Any]:
    """Describe a catalogue without changing it: address (masked), versions, size, rows a table.

    Raises
    ------
    TransientError
        If the server does not answer.
    """
    engine = open_engine(database_url)
    address = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            found = revision(connection)
            size = connection.execute(text("SELECT pg_database_size(current_database())"))
            described: dict[str, Any] = {
                "address": address,
                "server": connection.execute(text("SHOW server_version")).scalar_one(),
                "version": found,
                "newest_version": newest_revision(),
                "size_mb": round(size.scalar_one() / 1e6, 1),
                "rows": {},
            }
            if found is not None:
                described["rows"] = {
                    table.name: connection.execute(
                        select(func.count()).select_from(table)
                    ).scalar_one()
                    for table in Base.metadata.sorted_tables
                }
            return described
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
        raise TransientError(f"the catalogue at {address} cannot be reached: {reason}") from None
    finally:
        engine.dispose()
