"""Rooms: who may enter which, and what stands over the conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from .schema import Arm, Assignment, Classroom, Enrolment, Person, Role, Room, RoomState, now

TEXT_LENGTH = 2000
_TUTOR, _STUDENT = aliased(Person), aliased(Person)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A room with the names that belong to it."""

    id: str
    class_id: str
    class_name: str
    grade: int
    tutor_id: str
    tutor_name: str
    student_id: str
    student_name: str
    topic: str
    problem: str
    state: RoomState
    last_seq: int
    created_at: datetime


async def open_room(
    session: AsyncSession, *, class_id: str, tutor_id: str, student_id: str, topic: str, problem: str
) -> str:
    """The id of a new room. Raises ValueError where tutor or student are not of the class, or a text is too long."""
    for person_id, role in ((tutor_id, Role.TUTOR), (student_id, Role.STUDENT)):
        if not await _is_member(session, class_id, person_id, role):
            raise ValueError(f"the class has no {role} of that id")
    topic, problem = topic.strip(), problem.strip()
    if not 1 <= len(topic) <= 200:
        raise ValueError("a topic has 1 to 200 characters")
    if not 1 <= len(problem) <= TEXT_LENGTH:
        raise ValueError(f"a problem has 1 to {TEXT_LENGTH} characters")
    room = Room(class_id=class_id, tutor_id=tutor_id, student_id=student_id, topic=topic, problem=problem)
    session.add(room)
    await session.flush()
    return room.id


async def place(session: AsyncSession, person: Person, room_id: str) -> Place | None:
    """The room, if ``person`` may be in it (its tutor, its student, an administrator), else None."""
    wanted = _places().where(Room.id == room_id)
    if person.role == Role.TUTOR:
        wanted = wanted.where(Room.tutor_id == person.id)
    elif person.role == Role.STUDENT:
        wanted = wanted.where(Room.student_id == person.id)
    elif person.role != Role.ADMIN:
        return None
    row = (await session.execute(wanted)).one_or_none()
    return _place(row) if row is not None else None


async def places_of(session: AsyncSession, person: Person, limit: int = 100) -> list[Place]:
    """A person's rooms, the newest first; an administrator's are all."""
    wanted = _places().order_by(Room.created_at.desc()).limit(limit)
    if person.role == Role.TUTOR:
        wanted = wanted.where(Room.tutor_id == person.id)
    elif person.role == Role.STUDENT:
        wanted = wanted.where(Room.student_id == person.id)
    elif person.role != Role.ADMIN:
        return []
    return [_place(row) for row in await session.execute(wanted)]


async def close(session: AsyncSession, room_id: str, *, exit_score: float | None) -> bool:
    """Close a room, with the percentage of its exit ticket if one was tried; False where it was closed already."""
    closed = await session.execute(
        update(Room)
        .where(Room.id == room_id, Room.state == RoomState.OPEN)
        .values(state=RoomState.CLOSED, closed_at=now(), exit_score=exit_score)
        .returning(Room.id)
    )
    return closed.first() is not None


async def arm_of(session: AsyncSession, tutor_id: str) -> Arm | None:
    """A tutor's arm of the trial, if there is one."""
    arm = await session.scalar(select(Assignment.arm).where(Assignment.tutor_id == tutor_id))
    return Arm(arm) if arm is not None else None


async def _is_member(session: AsyncSession, class_id: str, person_id: str, role: Role) -> bool:
    found = await session.scalar(
        select(Person.id)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .where(Enrolment.class_id == class_id, Person.id == person_id, Person.role == role, Person.erased_at.is_(None))
    )
    return found is not None


def _places() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Room.id,
            Room.class_id,
            Classroom.name.label("class_name"),
            Classroom.grade,
            Room.tutor_id,
            _TUTOR.name.label("tutor_name"),
            Room.student_id,
            _STUDENT.name.label("student_name"),
            Room.topic,
            Room.problem,
            Room.state,
            Room.last_seq,
            Room.created_at,
        )
        .join(Classroom, Classroom.id == Room.class_id)
        .join(_TUTOR, _TUTOR.id == Room.tutor_id)
        .join(_STUDENT, _STUDENT.id == Room.student_id)
    )


def _place(row: Row[Any]) -> Place:
    return Place(**{**row._mapping, "state": RoomState(row.state)})
