"""Migrations make the tables that the code means, on both databases, and take them away again."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from paperworks.tutor_copilot.store.migrations.run import downgrade, upgrade
from paperworks.tutor_copilot.store.schema import Base

from .postgres import postgres


def up_and_down(url: str) -> tuple[list[Any], set[str]]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            upgrade(connection)
        with engine.begin() as connection:
            upgrade(connection)
            differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
        with engine.begin() as connection:
            downgrade(connection)
        return differences, set(sa.inspect(engine).get_table_names())
    finally:
        engine.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_tables_are_made_as_they_are_meant_and_taken_away_again(kind, tmp_path):
    if kind == "sqlite":
        found = up_and_down(f"sqlite:///{tmp_path / 'rooms.db'}")
    else:
        with postgres() as server:
            found = up_and_down(server.url.replace("postgresql://", "postgresql+psycopg://"))
    assert found == ([], {"alembic_version"})
