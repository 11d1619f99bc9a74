"""One at a time: what is counted before it is done must not be done by two at once."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_WAIT = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))")


async def take_turn(session: AsyncSession, subject: str) -> None:
    """Wait until no other transaction has the turn for ``subject``, and have it until this one ends.

    In SQLite one writes at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(_WAIT, {"subject": subject})
