"""What Alembic runs: the migrations, on the connection that chain.py hands over."""

from alembic import context

from tocsin.store.state import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
