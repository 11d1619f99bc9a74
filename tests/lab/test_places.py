"""Where runs and caches go: where the environment says, else where the platform keeps such things."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from paperworks.lab import places


@pytest.mark.parametrize(
    ("place", "variable", "platforms"),
    [(places.home, "PAPERWORKS_HOME", "XDG_DATA_HOME"), (places.cache, "PAPERWORKS_CACHE", "XDG_CACHE_HOME")],
)
def test_a_place_is_what_the_environment_says(
    place: Callable[[], Path], variable: str, platforms: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable, "~/there")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place() == tmp_path / "there"
    monkeypatch.delenv(variable)
    monkeypatch.setenv(platforms, str(tmp_path))
    assert place() == tmp_path / "paperworks"
