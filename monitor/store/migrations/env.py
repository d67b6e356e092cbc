"""Run by Alembic. The connection comes from ``monitor.store.database.migrate``, which also holds the lock."""

from alembic import context

from monitor.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite's DDL is transactional once BEGIN is ours: a migration is there as a whole or not at all.
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
