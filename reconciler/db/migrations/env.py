"""In what does alembic run our migrations? In the transaction that `migrate.py` has opened."""

from alembic import context

from reconciler.db.push_tables import metadata

connection = context.config.attributes["connection"]

context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
    render_as_batch=connection.dialect.name == "sqlite",
)

# Alembic sees that the transaction is not its own, and leaves the commit to the one who opened it.
with context.begin_transaction():
    context.run_migrations()
