"""A class to try things with: a tutor, two students, and a room in which somebody has just added fractions wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .store import people, rooms, sign_in
from .store.database import Database
from .store.schema import Classroom, Person, Role

_CLASS = "Demonstration class"
PROBLEM = r"What is $\frac{3}{4} + \frac{1}{5}$? Show how you know."
_LASTS, _USES = timedelta(days=1), 1000
_TUTOR, _STUDENT, _ADMIN = "Dana Rivera", "Robbie Miller", "Ada Bell"


@dataclass(frozen=True, kw_only=True)
class DemoLinks:
    """Secrets of links that sign in as each; they last a day."""

    tutor: str
    student: str
    admin: str


async def prepare(database: Database) -> DemoLinks:
    """Make the class where it is not there yet, and new links for its people."""
    async with database.writing() as session:
        classroom = await session.scalar(select(Classroom).where(Classroom.name == _CLASS))
        if classroom is None:
            await _make(session)
        secrets = {}
        for name in (_TUTOR, _STUDENT, _ADMIN):
            person = await session.scalar(select(Person).where(Person.name == name).order_by(Person.created_at))
            if person is None:
                raise ValueError(f"the demonstration class has no {name} any more: use another database")
            secrets[name] = await sign_in.make_link(session, person.id, lasts=_LASTS, uses=_USES)
    return DemoLinks(tutor=secrets[_TUTOR], student=secrets[_STUDENT], admin=secrets[_ADMIN])


async def _make(session: AsyncSession) -> None:
    classroom = await people.add_classroom(session, name=_CLASS, grade=5)
    tutor = await people.add_person(session, name=_TUTOR, role=Role.TUTOR, classes=[classroom.id])
    student = await people.add_person(session, name=_STUDENT, role=Role.STUDENT, classes=[classroom.id])
    await people.add_person(session, name="Maya Okafor", role=Role.STUDENT, classes=[classroom.id])
    await people.add_person(session, name=_ADMIN, role=Role.ADMIN)
    await rooms.open_room(
        session,
        class_id=classroom.id,
        tutor_id=tutor.id,
        student_id=student.id,
        topic="Adding fractions",
        problem=PROBLEM,
    )
