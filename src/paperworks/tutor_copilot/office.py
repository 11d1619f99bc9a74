"""What the command line does with a database: adds people, puts tutors into arms, writes tables."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from paperworks.lab.disk import write_atomically

from .settings import Settings
from .store import arms, audit, people, sign_in, usage
from .store.csv_text import csv_of, csv_text
from .store.database import Database
from .store.schema import Classroom, Role
from .store.usage import RosterRow, SessionRow

_COLUMNS = {"name", "role", "class", "grade"}
_LINKS_LAST = timedelta(days=14)

T = TypeVar("T")


def add_admin(url: str, *, name: str, login: str, password: str) -> None:
    """Add an administrator. Raises ValueError for a login that is taken, or a password that is too short."""

    async def add(session: AsyncSession) -> None:
        added = await people.add_person(session, name=name, role=Role.ADMIN, login=login, password=password)
        await audit.note(session, "added an admin at the command line", added.id, actor_id=None)

    in_database(url, add)


def add_people(url: str, table: Path, out: Path, *, address: str) -> int:
    """Add the people of a table and write their links to ``out``; how many there are.

    Nobody is added where a line is wrong; ValueError names it.
    """
    rows = _rows(table)

    async def add(session: AsyncSession) -> list[tuple[str, str, str, str]]:
        return [await _added(session, line, row, address) for line, row in enumerate(rows, start=2)]

    links = in_database(url, add)
    text = csv_text(("name", "role", "class", "link"), links)
    others = os.umask(0o077)  # who has a link is signed in
    try:
        write_atomically(out, text.encode())
    finally:
        os.umask(others)
    return len(links)


def import_arms(url: str, table: Path) -> int:
    """Put the tutors of a table into the trial's arms; how many are new. Raises ValueError as `assign_from_table`."""
    text = _text(table)

    async def add(session: AsyncSession) -> int:
        new = await arms.assign_from_table(session, text)
        await audit.note(session, f"assigned {new} tutors at the command line", "arms", actor_id=None)
        return new

    return in_database(url, add)


def export(url: str, what: str, out: Path) -> int:
    """Write the table ``what`` (tutors or sessions) to ``out``; its rows. Raises ValueError for another."""
    tables: dict[str, tuple[type[Any], Callable[[AsyncSession], Awaitable[list[Any]]]]] = {
        "tutors": (RosterRow, usage.roster),
        "sessions": (SessionRow, usage.sessions),
    }
    if what not in tables:
        raise ValueError(f"there is no table {what!r} to export: it is tutors or sessions")
    kind, read = tables[what]
    rows = in_database(url, read)
    write_atomically(out, csv_of(kind, rows).encode())
    return len(rows)


async def _added(session: AsyncSession, line: int, row: dict[str, str], address: str) -> tuple[str, str, str, str]:
    try:
        role = Role(row["role"].strip().lower())
        class_id = await _class_of(session, row["class"].strip(), row["grade"].strip())
        person = await people.add_person(session, name=row["name"], role=role, classes=[class_id])
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from error
    await audit.note(session, f"added a {role} at the command line", person.id, actor_id=None)
    secret = await sign_in.make_link(session, person.id, lasts=_LINKS_LAST)
    return person.name, person.role, row["class"].strip(), f"{address}/join/{secret}"


async def _class_of(session: AsyncSession, name: str, grade: str) -> str:
    there = await session.scalar(select(Classroom).where(Classroom.name == people.clean_name(name)))
    if there is not None:
        return there.id
    added = await people.add_classroom(session, name=name, grade=int(grade) if grade.isdecimal() else 0)
    return added.id


def _rows(table: Path) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(_text(table)), restval="")
    if reader.fieldnames is None or not set(reader.fieldnames) >= _COLUMNS:
        raise ValueError(f"{table.name} needs the columns {', '.join(sorted(_COLUMNS))}")
    return list(reader)


def _text(table: Path) -> str:
    try:
        return table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{table} cannot be read: {error}") from error


def in_database(url: str, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
    """What ``work`` returns, in a session that is committed if it raises nothing."""

    async def run() -> T:
        database = Database(Settings(database=url).database)
        try:
            await database.migrate()
            async with database.writing() as session:
                return await work(session)
        finally:
            await database.close()

    return asyncio.run(run())
