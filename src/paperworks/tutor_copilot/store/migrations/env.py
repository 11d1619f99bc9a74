"""What Alembic runs: the migrations, on the connection that `run` put into its configuration."""

from typing import Any, Literal

from alembic import context

from paperworks.tutor_copilot.store.schema import Base, UtcTime


def _as_plain_type(kind: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """A migration stays what it was when our own types change: it names the database's."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=_as_plain_type,
)
with context.begin_transaction():
    context.run_migrations()
