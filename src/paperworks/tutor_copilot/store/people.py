"""People and their classes: who there is, and who may see whom."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .schema import Classroom, Enrolment, Person, Role

PASSWORD_LENGTH = 10
_HASHER = PasswordHasher()
_NOBODYS_PASSWORD = _HASHER.hash("nobody's")
"""Checked where there is no such login, so that the time it takes does not tell."""


async def add_classroom(session: AsyncSession, *, name: str, grade: int) -> Classroom:
    """A new class. Raises ValueError for a blank name, one that is taken, or no grade of a school."""
    name = clean_name(name)
    if not 1 <= grade <= 13:
        raise ValueError(f"a grade is a number from 1 to 13, not {grade}")
    if await session.scalar(select(Classroom.id).where(Classroom.name == name)):
        raise ValueError(f"there is a class {name!r} already")
    classroom = Classroom(name=name, grade=grade)
    session.add(classroom)
    await session.flush()
    return classroom


async def add_person(
    session: AsyncSession,
    *,
    name: str,
    role: Role,
    classes: Sequence[str] = (),
    login: str | None = None,
    password: str | None = None,
) -> Person:
    """A new person, enrolled in the classes with the ids ``classes``.

    Raises ValueError for a blank name, a login that is taken, or a password that is too short.
    """
    if (login is None) != (password is None):
        raise ValueError("login and password come together; without them a person signs in by link")
    if login is not None:
        login = clean_login(login)
        if await session.scalar(select(Person.id).where(Person.login == login)):
            raise ValueError(f"the login {login!r} is taken")
    person = Person(
        name=clean_name(name),
        role=role,
        login=login,
        password=await _hashed(password) if password is not None else None,
    )
    session.add(person)
    await session.flush()
    session.add_all(Enrolment(class_id=class_id, person_id=person.id) for class_id in classes)
    await session.flush()
    return person


async def with_password(session: AsyncSession, login: str, password: str) -> Person | None:
    """The person of that login and password, or None, in the same time whether there is such a login or not."""
    person = await session.scalar(select(Person).where(Person.login == clean_login(login), Person.erased_at.is_(None)))
    kept = person.password if person is not None and person.password else _NOBODYS_PASSWORD
    fits = await asyncio.to_thread(_verifies, kept, password)
    return person if fits and person is not None and person.password else None


async def classes_of(session: AsyncSession, person: Person) -> list[Classroom]:
    """A person's classes; an administrator's are all."""
    wanted = select(Classroom).order_by(Classroom.name)
    if person.role != Role.ADMIN:
        wanted = wanted.join(Enrolment, Enrolment.class_id == Classroom.id).where(Enrolment.person_id == person.id)
    return list(await session.scalars(wanted))


async def members(session: AsyncSession, class_id: str, role: Role | None = None) -> list[Person]:
    """The people of a class, of one role or of all, by name."""
    wanted = (
        select(Person)
        .join(Enrolment, Enrolment.person_id == Person.id)
        .where(Enrolment.class_id == class_id, Person.erased_at.is_(None))
        .order_by(Person.name)
    )
    return list(await session.scalars(wanted if role is None else wanted.where(Person.role == role)))


def clean_name(name: str) -> str:
    """A name as it is kept: composed, without control characters, with single spaces.

    Raises ValueError where nothing is left, or over 100 characters are.
    """
    kept = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in name)
    name = " ".join(unicodedata.normalize("NFC", kept).split())
    if not 1 <= len(name) <= 100:
        raise ValueError("a name has 1 to 100 characters")
    return name


def clean_login(login: str) -> str:
    """A login as it is kept and compared: folded, so that no two look the same."""
    return unicodedata.normalize("NFKC", login).strip().casefold()[:200]


async def _hashed(password: str) -> str:
    if len(password) < PASSWORD_LENGTH:
        raise ValueError(f"a password has at least {PASSWORD_LENGTH} characters")
    return await asyncio.to_thread(_HASHER.hash, password)


def _verifies(kept: str, password: str) -> bool:
    try:
        return _HASHER.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False
