"""Who did what: entries in a chain, in which one that was changed or taken out shows."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .schema import AuditEntry, now
from .turns import take_turn

_BEGINNING = "0" * 64


async def note(session: AsyncSession, action: str, subject: str, *, actor_id: str | None) -> None:
    """Add an entry: ``actor_id`` (None: the server) did ``action`` to ``subject``, an id. No names, no secrets."""
    await take_turn(session, "audit")
    last = await session.scalar(select(AuditEntry).order_by(AuditEntry.number.desc()).limit(1))
    number, previous = (last.number + 1, last.digest) if last else (1, _BEGINNING)
    at = now()
    session.add(
        AuditEntry(
            number=number,
            at=at,
            actor_id=actor_id,
            action=action,
            subject=subject,
            previous=previous,
            digest=_digest(number, at, actor_id, action, subject, previous),
        )
    )
    await session.flush()


async def first_broken(session: AsyncSession) -> int | None:
    """The number of the first entry that is not as it was written, or that follows a gap; None where all are."""
    previous, expected = _BEGINNING, 1
    for entry in await session.scalars(select(AuditEntry).order_by(AuditEntry.number)):
        digest = _digest(entry.number, entry.at, entry.actor_id, entry.action, entry.subject, entry.previous)
        if entry.number != expected or entry.previous != previous or entry.digest != digest:
            return expected
        previous, expected = entry.digest, expected + 1
    return None


def _digest(number: int, at: datetime, actor_id: str | None, action: str, subject: str, previous: str) -> str:
    said = json.dumps([number, at.isoformat(), actor_id, action, subject, previous])
    return hashlib.sha256(said.encode()).hexdigest()
