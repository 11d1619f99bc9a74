"""What was done and paid for: a row a session, as the trial's analysis takes it, and a row a tutor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..exit_ticket import PASS_MARK
from .schema import Arm, Assignment, Classroom, Enrolment, HelpAsked, Message, Person, Role, Room


@dataclass(frozen=True, kw_only=True)
class SessionRow:
    """A session without names or words.

    ``arm`` is 1 for treatment, 0 for control, None for a tutor outside the trial. ``passed_c`` is None where no ticket
    was tried, ``passed_u`` 0 then.
    """

    session_id: str
    tutor_id: str
    student_id: str
    student_tutor: str
    stratum: str
    grade: int
    arm: int | None
    used: int
    n_uses: int
    tutor_messages: int
    student_messages: int
    exit_ticket_attempted: int
    exit_ticket_score: float | None
    exit_ticket_passed_c: int | None
    exit_ticket_passed_u: int
    duration_s: float | None


@dataclass(frozen=True, kw_only=True)
class RosterRow:
    """A tutor for `trial assign`: without a name, and with the first of their classes to balance within."""

    tutor_id: str
    site: str


@dataclass(frozen=True, kw_only=True)
class TutorRow:
    """A tutor's rooms, help and its cost."""

    tutor_id: str
    name: str
    arm: str | None
    rooms: int
    uses: int
    tokens: int
    dollars: float


async def sessions(session: AsyncSession) -> list[SessionRow]:
    """A row for every room, the oldest first."""
    uses = select(HelpAsked.room_id, func.count()).group_by(HelpAsked.room_id)
    said = select(Message.room_id, Message.role, func.count()).group_by(Message.room_id, Message.role)
    n_uses = dict((await session.execute(uses)).all())
    n_said = {(room_id, role): n for room_id, role, n in (await session.execute(said))}
    found = await session.execute(
        select(Room, Classroom.name, Classroom.grade, Assignment.arm)
        .join(Classroom, Classroom.id == Room.class_id)
        .outerjoin(Assignment, Assignment.tutor_id == Room.tutor_id)
        .order_by(Room.created_at, Room.id)
    )
    return [
        _session_row(
            room,
            stratum=name,
            grade=grade,
            arm=arm,
            n_uses=n_uses.get(room.id, 0),
            said=(n_said.get((room.id, Role.TUTOR), 0), n_said.get((room.id, Role.STUDENT), 0)),
        )
        for room, name, grade, arm in found
    ]


async def tutors(session: AsyncSession) -> list[TutorRow]:
    """A row for every tutor, by name."""
    opened = select(Room.tutor_id, func.count()).group_by(Room.tutor_id)
    rooms = dict((await session.execute(opened)).all())
    spent = select(
        HelpAsked.tutor_id,
        func.count(),
        func.sum(HelpAsked.prompt_tokens + HelpAsked.completion_tokens),
        func.sum(HelpAsked.cost_usd),
    ).group_by(HelpAsked.tutor_id)
    help_of = {tutor: (n, tokens, usd) for tutor, n, tokens, usd in (await session.execute(spent))}
    found = await session.execute(
        select(Person.id, Person.name, Assignment.arm)
        .outerjoin(Assignment, Assignment.tutor_id == Person.id)
        .where(Person.role == Role.TUTOR)
        .order_by(Person.name)
    )
    rows = []
    for tutor_id, name, arm in found:
        uses, tokens, dollars = help_of.get(tutor_id, (0, 0, 0.0))
        rows.append(
            TutorRow(
                tutor_id=tutor_id,
                name=name,
                arm=arm,
                rooms=rooms.get(tutor_id, 0),
                uses=uses,
                tokens=int(tokens),
                dollars=float(dollars),
            )
        )
    return rows


async def roster(session: AsyncSession) -> list[RosterRow]:
    """A row for every tutor who has no arm yet."""
    found = await session.execute(
        select(Person.id, func.min(Classroom.name))
        .outerjoin(Enrolment, Enrolment.person_id == Person.id)
        .outerjoin(Classroom, Classroom.id == Enrolment.class_id)
        .outerjoin(Assignment, Assignment.tutor_id == Person.id)
        .where(Person.role == Role.TUTOR, Person.erased_at.is_(None), Assignment.arm.is_(None))
        .group_by(Person.id)
        .order_by(Person.created_at, Person.id)
    )
    return [RosterRow(tutor_id=tutor_id, site=site or "") for tutor_id, site in found]


def _session_row(
    room: Room, *, stratum: str, grade: int, arm: str | None, n_uses: int, said: tuple[int, int]
) -> SessionRow:
    passed = None if room.exit_score is None else int(room.exit_score >= PASS_MARK)
    return SessionRow(
        session_id=room.id,
        tutor_id=room.tutor_id,
        student_id=room.student_id,
        student_tutor=f"{room.student_id}-{room.tutor_id}",
        stratum=stratum,
        grade=grade,
        arm=None if arm is None else int(arm == Arm.TREATMENT),
        used=int(n_uses > 0),
        n_uses=n_uses,
        tutor_messages=said[0],
        student_messages=said[1],
        exit_ticket_attempted=int(room.exit_score is not None),
        exit_ticket_score=room.exit_score,
        exit_ticket_passed_c=passed,
        exit_ticket_passed_u=passed or 0,
        duration_s=_seconds(room.created_at, room.closed_at),
    )


def _seconds(begun: datetime, ended: datetime | None) -> float | None:
    return None if ended is None else (ended - begun).total_seconds()
