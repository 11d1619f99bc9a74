"""The tables. Ids are unguessable texts; times are in UTC."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Role(StrEnum):
    """What a person may do. A researcher sees only what has no names in it."""

    ADMIN = "admin"
    TUTOR = "tutor"
    STUDENT = "student"
    RESEARCHER = "researcher"

    @classmethod
    def _missing_(cls, value: object) -> Role:
        raise ValueError(f"a role is {', '.join(cls)}, not {value!r}")


class Arm(StrEnum):
    """A tutor's arm of the trial; a tutor of neither has the help."""

    TREATMENT = "treatment"
    CONTROL = "control"


class RoomState(StrEnum):
    """A closed room can be read and not written."""

    OPEN = "open"
    CLOSED = "closed"


class HelpEventKind(StrEnum):
    """What became of a suggestion."""

    SENT = "sent"
    EDITED = "edited"
    REGENERATED = "regenerated"
    LIKED = "liked"
    REJECTED = "rejected"
    TOO_HARD = "too_hard"


class UtcTime(TypeDecorator[datetime]):
    """A moment, with its time zone on either side of a database that may know none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """What is written: UTC; a moment without a zone is refused, because nobody knows which it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs its time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is read: UTC, named as such."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def new_id() -> str:
    """96 random bits: nobody finds a room by guessing, and no spreadsheet takes one for a formula."""
    return secrets.token_hex(12)


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """All tables; constraints have names by one rule, so that migrations can find them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: String(200), datetime: UtcTime}


def _id() -> Any:
    return mapped_column(String(24), primary_key=True, default=new_id)


def _of(table: str, **options: Any) -> Any:
    return mapped_column(String(24), ForeignKey(f"{table}.id"), **options)


class Classroom(Base):
    """A class: the people who may meet in rooms, and the names that help must not see."""

    __tablename__ = "classroom"
    id: Mapped[str] = _id()
    name: Mapped[str] = mapped_column(unique=True)
    grade: Mapped[int]


class Person(Base):
    """Somebody who signs in: with login and password, or (children) with a link."""

    __tablename__ = "person"
    id: Mapped[str] = _id()
    name: Mapped[str]
    role: Mapped[str] = mapped_column(String(16))
    login: Mapped[str | None] = mapped_column(unique=True)
    password: Mapped[str | None]
    consented_at: Mapped[datetime | None]
    consent_version: Mapped[int | None]
    erased_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Enrolment(Base):
    """A person of a class."""

    __tablename__ = "enrolment"
    class_id: Mapped[str] = _of("classroom", primary_key=True)
    person_id: Mapped[str] = _of("person", primary_key=True, index=True)


class Room(Base):
    """One tutor and one student, over one problem. ``last_seq`` numbers its messages without gaps."""

    __tablename__ = "room"
    id: Mapped[str] = _id()
    class_id: Mapped[str] = _of("classroom", index=True)
    tutor_id: Mapped[str] = _of("person", index=True)
    student_id: Mapped[str] = _of("person", index=True)
    topic: Mapped[str]
    problem: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default=RoomState.OPEN)
    last_seq: Mapped[int] = mapped_column(default=0)
    exit_score: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    closed_at: Mapped[datetime | None]


class Message(Base):
    """What somebody wrote. ``client_id`` is the writer's own number for it: sent twice, it is kept once."""

    __tablename__ = "message"
    __table_args__ = (UniqueConstraint("room_id", "seq"), UniqueConstraint("room_id", "author_id", "client_id"))
    id: Mapped[str] = _id()
    room_id: Mapped[str] = _of("room")
    seq: Mapped[int]
    author_id: Mapped[str] = _of("person", index=True)
    role: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    client_id: Mapped[str] = mapped_column(String(64))
    suggestion_id: Mapped[str | None] = _of("suggestion")
    created_at: Mapped[datetime] = mapped_column(default=now)


class HelpAsked(Base):
    """A tutor asked for help. ``sent_out`` is exactly what left the process."""

    __tablename__ = "help_asked"
    __table_args__ = (Index(None, "tutor_id", "created_at"),)
    id: Mapped[str] = _id()
    room_id: Mapped[str] = _of("room", index=True)
    tutor_id: Mapped[str] = _of("person")
    strategies: Mapped[list[str]] = mapped_column(JSON)
    context_to: Mapped[int]
    engine: Mapped[str]
    outcome: Mapped[str] = mapped_column(String(16), default="asked")
    sent_out: Mapped[list[str]] = mapped_column(JSON, default=list)
    latency_s: Mapped[float | None]
    prompt_tokens: Mapped[int] = mapped_column(default=0)
    completion_tokens: Mapped[int] = mapped_column(default=0)
    cost_usd: Mapped[float] = mapped_column(default=0.0)
    created_at: Mapped[datetime] = mapped_column(default=now)


class SuggestionShown(Base):
    """One column of what a tutor was shown."""

    __tablename__ = "suggestion"
    id: Mapped[str] = _id()
    asked_id: Mapped[str] = _of("help_asked", index=True)
    position: Mapped[int]
    strategy: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    engine: Mapped[str]
    note: Mapped[str] = mapped_column(Text, default="")
    flags: Mapped[list[str]] = mapped_column(JSON, default=list)


class HelpEvent(Base):
    """What became of a suggestion."""

    __tablename__ = "help_event"
    id: Mapped[str] = _id()
    suggestion_id: Mapped[str] = _of("suggestion", index=True)
    kind: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Assignment(Base):
    """A tutor's arm. Written once: a tutor who changed arms would be in neither."""

    __tablename__ = "assignment"
    tutor_id: Mapped[str] = _of("person", primary_key=True)
    arm: Mapped[str] = mapped_column(String(16))
    source: Mapped[str]
    assigned_at: Mapped[datetime] = mapped_column(default=now)


class SignedIn(Base):
    """A browser that is signed in. The cookie's value is not here, only its digest."""

    __tablename__ = "signed_in"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = _of("person", index=True)
    form_token: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime]


class JoinLink(Base):
    """A link that signs a person in, a number of times, until it expires."""

    __tablename__ = "join_link"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = _of("person", index=True)
    uses_left: Mapped[int]
    expires_at: Mapped[datetime]


class FailedSignIn(Base):
    """A wrong password. Counted in the database, so that guessing at several workers gains nothing."""

    __tablename__ = "failed_sign_in"
    __table_args__ = (Index(None, "login", "at"), Index(None, "address", "at"))
    id: Mapped[str] = _id()
    login: Mapped[str]
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)


class AuditEntry(Base):
    """Who did what. Each entry carries the digest of the one before: one that is changed or taken out shows."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_id: Mapped[str | None]
    action: Mapped[str]
    subject: Mapped[str]
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
