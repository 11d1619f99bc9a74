"""Where paperworks keeps what it writes, unless a command says otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder of this machine's runs: ``$PAPERWORKS_HOME``, else the platform's place for a user's data."""
    return _place("PAPERWORKS_HOME", "user_data_dir")


def cache() -> Path:
    """The folder of what can be made again: ``$PAPERWORKS_CACHE``, else the platform's place for a user's caches."""
    return _place("PAPERWORKS_CACHE", "user_cache_dir")


def _place(variable: str, otherwise: str) -> Path:
    if given := os.environ.get(variable):
        return Path(given).expanduser().absolute()
    import platformdirs

    return Path(getattr(platformdirs, otherwise)("paperworks"))
