"""Which engine a server uses, by its settings."""

from __future__ import annotations

from dataclasses import dataclass

from .offline import OfflineEngine
from .request import HelpEngine

_PATIENCE_S = 8.0
_ATTEMPTS = 2


@dataclass(frozen=True, kw_only=True)
class HelpSettings:
    """Where help comes from. Without ``llm`` it comes from this machine.

    ``llm`` is the address of a server that speaks OpenAI's protocol, ``model`` the model it is asked for, and
    ``key_variable`` the environment variable with its key, "" for none. A million tokens read and written cost
    ``dollars_read`` and ``dollars_written``; a tutor's help may cost ``dollars_a_day``.
    """

    llm: str = ""
    model: str = ""
    key_variable: str = ""
    dollars_read: float = 0.0
    dollars_written: float = 0.0
    dollars_a_day: float = 1.0


def engine_for(settings: HelpSettings) -> HelpEngine:
    """The engine that ``settings`` name. Raises ValueError for an address that is none, or a key that is not set."""
    if not settings.llm:
        return OfflineEngine()
    from paperworks.lab.chat import Chat, Endpoint, Price, Retry

    from .model import ModelHelp

    backend = Endpoint(
        settings.model,
        base_url=settings.llm,
        api_key_env=settings.key_variable or None,
        timeout_s=_PATIENCE_S,
        max_answer_bytes=100_000,
    )
    price = Price(prompt=settings.dollars_read, completion=settings.dollars_written)
    return ModelHelp(
        Chat(backend, retry=Retry(attempts=_ATTEMPTS, first_s=0.25, patience_s=2.0), concurrency=64),
        instead=OfflineEngine(),
        price=price if price.prompt or price.completion else None,
        dollars_a_day=settings.dollars_a_day,
    )
