"""Messages of rooms: numbered without gaps, kept once however often they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from .schema import HelpEvent, HelpEventKind, Message, Role, Room, RoomState, new_id, now


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message that is not kept yet. ``is_edited`` says whether it differs from the suggestion it came from."""

    room_id: str
    author_id: str
    role: Role
    client_id: str
    text: str
    suggestion_id: str | None = None
    is_edited: bool = False


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A message that is in the database; ``is_new`` unless it was there before."""

    room_id: str
    seq: int
    author_id: str
    role: Role
    client_id: str
    text: str
    at: datetime
    is_new: bool = True


class RoomClosedError(ValueError):
    """The room takes no more messages."""


def append(session: Session, drafts: Sequence[Draft]) -> list[Kept | RoomClosedError]:
    """Keep ``drafts``, in their order; what became of each. One that is there already is returned as it is there.

    Rooms are locked in the order of their ids, so that two workers never wait for each other in a circle; the numbers
    of a room are therefore given in the order in which they become visible.
    """
    rooms = _locked(session, {draft.room_id for draft in drafts})
    known = _known(session, drafts)
    last = {room_id: seq for room_id, (seq, _) in rooms.items()}
    results: list[Kept | RoomClosedError] = []
    rows: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for draft in drafts:
        key = (draft.room_id, draft.author_id, draft.client_id)
        if (there := known.get(key)) is not None:
            results.append(there)
            continue
        if rooms.get(draft.room_id, (0, RoomState.CLOSED))[1] != RoomState.OPEN:
            results.append(RoomClosedError("this room is closed"))
            continue
        last[draft.room_id] += 1
        kept = _kept(draft, last[draft.room_id])
        known[key] = replace(kept, is_new=False)
        results.append(kept)
        rows.append(_row(draft, kept))
        events += _events(draft)
    if rows:
        session.execute(insert(Message), rows)
        _advance(session, {row["room_id"]: last[row["room_id"]] for row in rows})
    if events:
        session.execute(insert(HelpEvent), events)
    return results


async def after(session: AsyncSession, room_id: str, seq: int, limit: int) -> list[Kept]:
    """At most ``limit`` messages of a room that follow number ``seq``, in order."""
    found = await session.execute(
        select(*_COLUMNS).where(Message.room_id == room_id, Message.seq > seq).order_by(Message.seq).limit(limit)
    )
    return [Kept(**{**row._mapping, "role": Role(row.role)}) for row in found]


async def latest(session: AsyncSession, room_id: str, limit: int) -> list[Kept]:
    """The ``limit`` most recent messages of a room, in order."""
    found = await session.execute(
        select(*_COLUMNS).where(Message.room_id == room_id).order_by(Message.seq.desc()).limit(limit)
    )
    return [Kept(**{**row._mapping, "role": Role(row.role)}) for row in found][::-1]


_COLUMNS = (
    Message.room_id,
    Message.seq,
    Message.author_id,
    Message.role,
    Message.client_id,
    Message.text,
    Message.created_at.label("at"),
)


def _locked(session: Session, room_ids: set[str]) -> dict[str, tuple[int, str]]:
    found = session.execute(
        select(Room.id, Room.last_seq, Room.state).where(Room.id.in_(room_ids)).order_by(Room.id).with_for_update()
    )
    return {row.id: (row.last_seq, row.state) for row in found}


def _known(session: Session, drafts: Sequence[Draft]) -> dict[tuple[str, str, str], Kept]:
    found = session.execute(
        select(*_COLUMNS).where(
            Message.room_id.in_({draft.room_id for draft in drafts}),
            Message.client_id.in_({draft.client_id for draft in drafts}),
        )
    )
    known = (Kept(**{**row._mapping, "role": Role(row.role)}, is_new=False) for row in found)
    return {(message.room_id, message.author_id, message.client_id): message for message in known}


def _kept(draft: Draft, seq: int) -> Kept:
    return Kept(
        room_id=draft.room_id,
        seq=seq,
        author_id=draft.author_id,
        role=draft.role,
        client_id=draft.client_id,
        text=draft.text,
        at=now(),
    )


def _row(draft: Draft, kept: Kept) -> dict[str, Any]:
    return {
        "id": new_id(),
        "room_id": kept.room_id,
        "seq": kept.seq,
        "author_id": kept.author_id,
        "role": kept.role,
        "text": kept.text,
        "client_id": kept.client_id,
        "suggestion_id": draft.suggestion_id,
        "created_at": kept.at,
    }


def _events(draft: Draft) -> list[dict[str, Any]]:
    if draft.suggestion_id is None:
        return []
    kind = HelpEventKind.EDITED if draft.is_edited else HelpEventKind.SENT
    return [{"id": new_id(), "suggestion_id": draft.suggestion_id, "kind": kind, "created_at": now()}]


def _advance(session: Session, last: Mapping[str, int]) -> None:
    session.connection().execute(
        update(Room.__table__).where(Room.id == bindparam("the_room")).values(last_seq=bindparam("the_seq")),  # type: ignore[arg-type]
        [{"the_room": room_id, "the_seq": seq} for room_id, seq in last.items()],
    )
