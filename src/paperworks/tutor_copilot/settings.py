"""What a server is told: where its data lies, where help comes from, and how it is reached."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from .help.choice import HelpSettings

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a server runs.

    ``database`` is a URL of SQLite (a file) or PostgreSQL. ``origins`` are addresses under which browsers reach the
    server besides the one they name themselves, such as a proxy's. ``https`` makes cookies travel encrypted only.
    ``retention_days`` is how long a closed room's messages are kept. Raises ValueError for a database of another kind.
    """

    database: str
    help: HelpSettings = field(default_factory=HelpSettings)
    origins: tuple[str, ...] = ()
    https: bool = False
    retention_days: int = 365

    def __post_init__(self) -> None:
        object.__setattr__(self, "database", _with_driver(self.database))
        if self.retention_days < 1:
            raise ValueError(f"messages are kept for at least one day, not {self.retention_days}")


def to_environment(settings: Settings) -> dict[str, str]:
    """``settings`` as variables, for the worker processes of a server; keys of services are not among them."""
    return {
        "TUTOR_DATABASE": settings.database,
        "TUTOR_LLM": settings.help.llm,
        "TUTOR_MODEL": settings.help.model,
        "TUTOR_KEY_VARIABLE": settings.help.key_variable,
        "TUTOR_DOLLARS_READ": repr(settings.help.dollars_read),
        "TUTOR_DOLLARS_WRITTEN": repr(settings.help.dollars_written),
        "TUTOR_DOLLARS_A_DAY": repr(settings.help.dollars_a_day),
        "TUTOR_ORIGINS": " ".join(settings.origins),
        "TUTOR_HTTPS": "yes" if settings.https else "",
        "TUTOR_RETENTION_DAYS": str(settings.retention_days),
    }


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """What `to_environment` wrote; only ``TUTOR_DATABASE`` has to be there.

    Raises ValueError where it is not, or where a number is none.
    """
    if not (database := environment.get("TUTOR_DATABASE")):
        raise ValueError("TUTOR_DATABASE is not set: give it the URL of a SQLite file or of PostgreSQL")
    return Settings(
        database=database,
        help=HelpSettings(
            llm=environment.get("TUTOR_LLM", ""),
            model=environment.get("TUTOR_MODEL", ""),
            key_variable=environment.get("TUTOR_KEY_VARIABLE", ""),
            dollars_read=float(environment.get("TUTOR_DOLLARS_READ") or 0),
            dollars_written=float(environment.get("TUTOR_DOLLARS_WRITTEN") or 0),
            dollars_a_day=float(environment.get("TUTOR_DOLLARS_A_DAY") or HelpSettings.dollars_a_day),
        ),
        origins=tuple(environment.get("TUTOR_ORIGINS", "").split()),
        https=bool(environment.get("TUTOR_HTTPS")),
        retention_days=int(environment.get("TUTOR_RETENTION_DAYS") or Settings.retention_days),
    )


def _with_driver(url: str) -> str:
    """``url`` with the asynchronous driver that we use."""
    scheme, separator, rest = url.partition("://")
    kind = scheme.partition("+")[0]
    if not separator or kind not in _DRIVERS:
        raise ValueError(
            f"{scheme!r} is no database that rooms can be kept in: use sqlite:///FILE or postgresql://HOST/NAME"
        )
    if kind == "sqlite" and (rest in {"", "/"} or ":memory:" in rest):
        raise ValueError("a SQLite database in memory is seen by one connection only: name a file, sqlite:///FILE")
    return f"{_DRIVERS[kind]}://{rest}"
