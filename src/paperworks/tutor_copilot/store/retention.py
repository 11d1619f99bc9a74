"""What is forgotten: rooms that were closed long ago, and people who ask for it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from . import sign_in
from .schema import HelpAsked, Message, Person, Role, Room, RoomState, SuggestionShown, now

GONE = ""
"""What is left of a text. The rows stay, so that numbers of messages and uses stay what they were."""


async def forget_old(session: AsyncSession, *, days: int) -> int:
    """Forget the words of rooms that have been closed for ``days``; the number of rooms that had any."""
    until = now() - timedelta(days=days)
    old = select(Room.id).where(Room.state == RoomState.CLOSED, Room.closed_at < until)
    with_words = await session.scalars(
        select(Message.room_id).where(Message.room_id.in_(old), Message.text != GONE).distinct()
    )
    rooms = len(list(with_words))
    if rooms:
        await _forget_words(session, Message.room_id.in_(old), HelpAsked.room_id.in_(old))
        await session.execute(update(Room).where(Room.id.in_(old)).values(problem=GONE, topic=GONE))
    return rooms


async def erase(session: AsyncSession, person_id: str) -> bool:
    """Forget a person: name, login, links, and the words of all rooms they were in; False where that was done already.

    The other side's words go too, since they speak of the person, and often to them by name.
    """
    person = await session.get(Person, person_id)
    if person is None or person.erased_at is not None:
        return False
    theirs = select(Room.id).where((Room.tutor_id == person_id) | (Room.student_id == person_id))
    await _forget_words(session, Message.room_id.in_(theirs), HelpAsked.room_id.in_(theirs))
    await session.execute(
        update(Room)
        .where(Room.id.in_(theirs), Room.state == RoomState.OPEN)
        .values(state=RoomState.CLOSED, closed_at=now())
    )
    await sign_in.end_all(session, person_id)
    person.name, person.login, person.password, person.erased_at = f"erased {Role(person.role)}", None, None, now()
    await session.flush()
    return True


async def _forget_words(session: AsyncSession, said: ColumnElement[bool], asked: ColumnElement[bool]) -> None:
    await session.execute(update(Message).where(said).values(text=GONE))
    of_help = select(HelpAsked.id).where(asked)
    await session.execute(update(SuggestionShown).where(SuggestionShown.asked_id.in_(of_help)).values(text=GONE))
    await session.execute(update(HelpAsked).where(asked).values(sent_out=[]))
