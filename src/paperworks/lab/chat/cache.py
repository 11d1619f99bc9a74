"""Answers kept on the disk, so that a question is paid for once.

An entry is one file, named by a digest of everything the answer depends on, replaced whole and checked by a sha256 of
its content when it is read. A damaged one is reported, and its question is asked again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paperworks.lab import values
from paperworks.lab.disk import write_atomically

from .reply import Reply, Usage
from .request import Request

_VERSION = 1
_log = logging.getLogger(__name__)


class ReplyCache:
    """Answers below ``folder``. Processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key(self, identity: Mapping[str, Any], request: Request) -> str:
        """The digest of backend, conversation, sampling and schema."""
        recipe = {
            "version": _VERSION,
            "backend": identity,
            "messages": [message.to_json() for message in request.messages],
            "sampling": asdict(request.sampling),
            "schema": request.schema,
        }
        return values.digest(recipe, "what a chat model is asked")

    def find(self, key: str) -> Reply | None:
        """The kept answer, marked ``cached``; None where there is none that can be trusted."""
        place = self._place(key)
        try:
            return _decode(key, place.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("the kept answer %s is damaged (%s); its question is asked again", place, error)
            return None

    def keep(self, key: str, reply: Reply) -> None:
        """Keep an answer. Where the disk does not take it that is reported, and the answer is not lost over it."""
        try:
            write_atomically(self._place(key), _encode(key, reply))
        except OSError as error:
            _log.warning("an answer could not be kept in %s: %s", self.folder, error)

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _encode(key: str, reply: Reply) -> bytes:
    content = asdict(reply) | {"cached": True}
    return json.dumps({"sha256": _digest(key, content), "reply": content}).encode()


def _decode(key: str, data: bytes) -> Reply:
    entry = json.loads(data)
    content = entry["reply"]
    if entry["sha256"] != _digest(key, content):
        raise ValueError("its content does not have the digest that stands in it")
    return Reply(**content | {"pieces": tuple(content["pieces"]), "usage": Usage(**content["usage"])})


def _digest(key: str, content: Any) -> str:
    return hashlib.sha256(json.dumps([key, content], sort_keys=True).encode()).hexdigest()
