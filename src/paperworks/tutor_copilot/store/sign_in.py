"""Who is signed in: browsers, links for children, and wrong passwords. Secrets are kept as digests only."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from .schema import FailedSignIn, JoinLink, Person, SignedIn, new_id, now
from .turns import take_turn

LASTS = timedelta(hours=12)
WINDOW = timedelta(minutes=1)
FAILURES_BY_LOGIN = 5
FAILURES_BY_ADDRESS = 30
"""Wrong passwords in a minute; a school's many browsers share one address."""


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A person in a browser that is signed in, and the token that its forms must carry."""

    person: Person
    form_token: str
    expires_at: datetime


async def begin(session: AsyncSession, person: Person, *, instead_of: str | None = None) -> str:
    """Sign ``person`` in; the new secret for the cookie. The one before (``instead_of``) ends: none is ever kept on."""
    if instead_of:
        await end(session, instead_of)
    secret = secrets.token_urlsafe(32)
    session.add(
        SignedIn(
            digest=_digest(secret),
            person_id=person.id,
            form_token=secrets.token_urlsafe(32),
            expires_at=now() + LASTS,
        )
    )
    await session.flush()
    return secret


async def visitor(session: AsyncSession, secret: str | None) -> Visitor | None:
    """Who holds ``secret``, unless it has ended."""
    if not secret:
        return None
    found = await session.execute(
        select(SignedIn, Person)
        .join(Person, Person.id == SignedIn.person_id)
        .where(SignedIn.digest == _digest(secret), SignedIn.expires_at > now(), Person.erased_at.is_(None))
    )
    if (row := found.one_or_none()) is None:
        return None
    signed_in, person = row
    return Visitor(person=person, form_token=signed_in.form_token, expires_at=signed_in.expires_at)


async def end(session: AsyncSession, secret: str) -> None:
    """Sign the browser with ``secret`` out."""
    await session.execute(delete(SignedIn).where(SignedIn.digest == _digest(secret)))


async def end_all(session: AsyncSession, person_id: str) -> None:
    """Sign a person out everywhere, and make their links worthless."""
    await session.execute(delete(SignedIn).where(SignedIn.person_id == person_id))
    await session.execute(delete(JoinLink).where(JoinLink.person_id == person_id))


async def make_link(session: AsyncSession, person_id: str, *, lasts: timedelta, uses: int = 1) -> str:
    """The secret of a link that signs a person in ``uses`` times, until it expires."""
    secret = secrets.token_urlsafe(24)
    session.add(JoinLink(digest=_digest(secret), person_id=person_id, uses_left=uses, expires_at=now() + lasts))
    await session.flush()
    return secret


async def behind_link(session: AsyncSession, secret: str) -> Person | None:
    """Whom a link would sign in; it is not used up by that."""
    return await session.scalar(
        select(Person)
        .join(JoinLink, JoinLink.person_id == Person.id)
        .where(
            JoinLink.digest == _digest(secret),
            JoinLink.uses_left > 0,
            JoinLink.expires_at > now(),
            Person.erased_at.is_(None),
        )
    )


async def use_link(session: AsyncSession, secret: str) -> Person | None:
    """Whom a link signs in, once less often from now on; two browsers at the same moment cannot both have its last."""
    person = await behind_link(session, secret)
    if person is None:
        return None
    taken = await session.execute(
        update(JoinLink)
        .where(JoinLink.digest == _digest(secret), JoinLink.uses_left > 0)
        .values(uses_left=JoinLink.uses_left - 1)
        .returning(JoinLink.digest)
    )
    return person if taken.first() is not None else None


async def admit(session: AsyncSession, login: str, address: str) -> bool:
    """Count an attempt to sign in as failed, until `forgive` says otherwise; False where there were too many lately.

    It is counted before the password is checked, one at a time, so that many at once gain nothing.
    """
    await take_turn(session, "sign-in")
    since = now() - WINDOW
    by_login = await session.scalar(
        select(func.count()).select_from(FailedSignIn).where(FailedSignIn.login == login, FailedSignIn.at > since)
    )
    by_address = await session.scalar(
        select(func.count()).select_from(FailedSignIn).where(FailedSignIn.address == address, FailedSignIn.at > since)
    )
    if (by_login or 0) >= FAILURES_BY_LOGIN or (by_address or 0) >= FAILURES_BY_ADDRESS:
        return False
    await note_failure(session, login, address)
    return True


async def note_failure(session: AsyncSession, login: str, address: str) -> None:
    """Count a failure."""
    session.add(FailedSignIn(id=new_id(), login=login, address=address))
    await session.flush()


async def forgive(session: AsyncSession, login: str, address: str) -> None:
    """A right password: the failures of that login from that address no longer count."""
    await session.execute(delete(FailedSignIn).where(FailedSignIn.login == login, FailedSignIn.address == address))


async def forget_old(session: AsyncSession) -> None:
    """Remove what has expired."""
    await session.execute(delete(SignedIn).where(SignedIn.expires_at <= now()))
    await session.execute(delete(JoinLink).where(JoinLink.expires_at <= now()))
    await session.execute(delete(FailedSignIn).where(FailedSignIn.at <= now() - timedelta(days=1)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
