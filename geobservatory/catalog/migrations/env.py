"""Run by Alembic; the connection and its lock are `geobservatory.catalog.migrate`'s."""

from alembic import context

from geobservatory.catalog import (  # noqa: F401  (their tables are of the metadata)
    account_tables,
    delivery_tables,
    event_tables,
    handed_tables,
    mirror_tables,
    notice_tables,
    pair_tables,
    probe_tables,
    scene_tables,
    subscription_tables,
)
from geobservatory.catalog.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
