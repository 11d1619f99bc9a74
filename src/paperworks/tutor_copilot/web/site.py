"""What all pages share: the database, the templates, and who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from ..rooms.session import Rooms
from ..settings import Settings
from ..store import sign_in
from ..store.database import Database
from ..store.rooms import Place, place
from ..store.schema import Role
from ..store.sign_in import Visitor

CONSENT_VERSION = 1
"""To be raised whenever the text that people agree to changes: everybody is then asked again."""


class GoTo(Exception):
    """Another page has to come first."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


@dataclass(frozen=True, kw_only=True)
class Site:
    """One server."""

    settings: Settings
    database: Database
    rooms: Rooms
    templates: Jinja2Templates

    @property
    def cookie(self) -> str:
        """The cookie's name; with https, one that no other host and no unencrypted page can set."""
        return "__Host-tutor" if self.settings.https else "tutor"


def site(connection: HTTPConnection) -> Site:
    """The server that a request came to."""
    found: Site = connection.app.state.site
    return found


async def visitor(connection: HTTPConnection) -> Visitor | None:
    """Who is asking, if they are signed in."""
    here = site(connection)
    async with here.database.reading() as session:
        return await sign_in.visitor(session, connection.cookies.get(here.cookie))


async def signed_in(request: Request, *roles: Role) -> Visitor:
    """Who is asking, of one of ``roles`` (of any, without). Else it is an error, or a page that must come first."""
    found = await visitor(request)
    if found is None:
        raise GoTo("/sign-in")
    if roles and found.person.role not in roles:
        raise HTTPException(403, "this page is not for you")
    if needs_consent(found):
        raise GoTo("/consent")
    return found


def needs_consent(who: Visitor) -> bool:
    """Tutors and students talk only after they have agreed to how their words are kept."""
    return who.person.role in {Role.TUTOR, Role.STUDENT} and who.person.consent_version != CONSENT_VERSION


async def room_of(request: Request, who: Visitor) -> Place:
    """The room in the address, if it is theirs; one that is not is as one that does not exist."""
    async with site(request).database.reading() as session:
        found = await place(session, who.person, request.path_params["room"])
    if found is None:
        raise HTTPException(404, "there is no such room")
    return found


async def form(request: Request, who: Visitor) -> FormData:
    """What a form says, if it is one that we gave this browser."""
    import secrets

    fields = await request.form(max_fields=50, max_files=1)
    given = fields.get("form_token")
    if not isinstance(given, str) or not secrets.compare_digest(given.encode(), who.form_token.encode()):
        raise HTTPException(403, "this form is too old: go back, load the page again, and send it again")
    return fields


def text_of(fields: FormData, name: str) -> str:
    """A field that is a text; "" where there is none. Raises ValueError for halves of characters."""
    value = fields.get(name, "")
    text = value.strip() if isinstance(value, str) else ""
    if "\0" in text:
        raise ValueError("that text has a character in it that cannot be kept")
    return text


async def file_of(fields: FormData, name: str) -> str:
    """A field that is a text file. Raises ValueError where there is none, or one that is not UTF-8."""
    upload = fields.get(name)
    if not isinstance(upload, UploadFile) or not upload.filename:
        raise ValueError("choose a file first")
    try:
        return (await upload.read()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("the file is not a text in UTF-8") from None


def page(request: Request, template: str, who: Visitor | None = None, *, status: int = 200, **values: Any) -> Response:
    """A page, made from ``template``; ``values`` are what it shows."""
    context: Mapping[str, Any] = {"who": who.person if who else None, "form_token": who.form_token if who else ""}
    return site(request).templates.TemplateResponse(request, template, {**context, **values}, status_code=status)


def redirect(address: str) -> Response:
    """Go on at another page, by GET."""
    return RedirectResponse(address, status_code=303)
