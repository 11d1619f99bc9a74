"""The trial's arms: a table of tutors, written once."""

from __future__ import annotations

import csv
import hashlib
import io

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .people import clean_login
from .schema import Arm, Assignment, Person, Role


async def assign_from_table(session: AsyncSession, table: str) -> int:
    """Assign the tutors of a CSV table, as `trial assign` writes it; how many are new.

    Its columns are ``tutor_id`` (an id or a login) and ``arm``: 1 or treatment, 0 or control.

    All or none: ValueError, which names the line, for a tutor who is not known, an arm that does not exist, and a tutor
    who would change arms.
    """
    source = f"table {hashlib.sha256(table.encode()).hexdigest()[:16]}"
    there = {each.tutor_id: each.arm for each in await session.scalars(select(Assignment))}
    new = 0
    for line, (named, arm) in enumerate(_rows(table), start=2):
        tutor = await _tutor(session, named)
        if tutor is None:
            raise ValueError(f"line {line}: there is no tutor {named!r}")
        if there.setdefault(tutor.id, arm) != arm:
            raise ValueError(f"line {line}: {named!r} is in the {there[tutor.id]} arm; arms do not change in a trial")
        if await session.get(Assignment, tutor.id) is None:
            session.add(Assignment(tutor_id=tutor.id, arm=arm, source=source))
            new += 1
    await session.flush()
    return new


def _rows(table: str) -> list[tuple[str, Arm]]:
    reader = csv.DictReader(io.StringIO(table))
    if reader.fieldnames is None or not {"tutor_id", "arm"} <= set(reader.fieldnames):
        raise ValueError("the table needs the columns tutor_id and arm")
    rows = []
    for line, row in enumerate(reader, start=2):
        try:
            rows.append(((row["tutor_id"] or "").strip(), _arm((row["arm"] or "").strip().lower())))
        except ValueError:
            raise ValueError(f"line {line}: an arm is 1, treatment, 0 or control, not {row['arm']!r}") from None
    return rows


def _arm(named: str) -> Arm:
    return {"1": Arm.TREATMENT, "0": Arm.CONTROL}.get(named) or Arm(named)


async def _tutor(session: AsyncSession, named: str) -> Person | None:
    return await session.scalar(
        select(Person).where(
            Person.role == Role.TUTOR,
            Person.erased_at.is_(None),
            (Person.login == clean_login(named)) | (Person.id == named),
        )
    )
