"""Run by Alembic; the connection and its lock are `geobservatory.catalog.migrate`'s."""

from alembic import context

from geobservatory.catalog.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
