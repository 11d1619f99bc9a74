"""Transcripts of rooms for those who were in them, and data without names for researchers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..store import audit, messages, usage
from ..store.csv_text import csv_of, csv_text
from ..store.messages import Kept
from ..store.rooms import Place
from ..store.schema import Role
from ..store.usage import SessionRow
from .site import page, room_of, signed_in, site

_ALL = 1_000_000
_COLUMNS = ("seq", "at", "speaker", "name", "text")


async def transcript(request: Request) -> Response:
    """A room's messages as JSON, CSV, or a page to print."""
    who = await signed_in(request, Role.TUTOR, Role.STUDENT, Role.ADMIN)
    place = await room_of(request, who)
    form = request.path_params["form"]
    if form not in {"json", "csv", "html"}:
        raise HTTPException(404, "transcripts come as json, csv and html")
    async with site(request).database.writing() as session:
        said = await messages.after(session, place.id, 0, _ALL)
        await audit.note(session, f"read a transcript as {form}", place.id, actor_id=who.person.id)
    if form == "html":
        return page(request, "transcript.html", who, place=place, said=said)
    if form == "csv":
        return _csv(csv_text(_COLUMNS, (_cells(place, each) for each in said)), place.id)
    return JSONResponse(_record(place, said), headers=_as_file(f"{place.id}.json"))


async def show_data(request: Request) -> Response:
    """What a researcher may have."""
    who = await signed_in(request, Role.RESEARCHER, Role.ADMIN)
    return page(request, "data.html", who, columns=[field.name for field in fields(SessionRow)])


async def sessions(request: Request) -> Response:
    """A row a session, without names or words."""
    who = await signed_in(request, Role.RESEARCHER, Role.ADMIN)
    async with site(request).database.writing() as session:
        rows = await usage.sessions(session)
        await audit.note(session, "read the table of sessions", "sessions", actor_id=who.person.id)
    return _csv(csv_of(SessionRow, rows), "sessions")


def _record(place: Place, said: Sequence[Kept]) -> dict[str, Any]:
    return {
        "room": place.id,
        "class": place.class_name,
        "grade": place.grade,
        "topic": place.topic,
        "problem": place.problem,
        "tutor": place.tutor_name,
        "student": place.student_name,
        "messages": [
            {"seq": each.seq, "at": each.at.isoformat(), "speaker": str(each.role), "text": each.text} for each in said
        ],
    }


def _cells(place: Place, said: Kept) -> tuple[Any, ...]:
    name = place.tutor_name if said.role == Role.TUTOR else place.student_name
    return said.seq, said.at.isoformat(), str(said.role), name, said.text


def _csv(text: str, name: str) -> Response:
    return Response(text, media_type="text/csv", headers=_as_file(f"{name}.csv"))


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
