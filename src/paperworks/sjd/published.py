"""What the paper's successors published, as context beside our numbers; nothing of it is measured or judged here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FOLLOW_UPS", "FollowUp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """One cell of a table: a ``method`` on a ``model``, and where the number stands (``source``).

    ``fewer`` and ``faster`` are gains over plain decoding in passes and in time; None where none is given.
    """

    method: str
    model: str
    source: str
    window: int | None = None
    passes: float | None = None
    fewer: float | None = None
    faster: float | None = None
    seconds: float | None = None

    def row(self) -> dict[str, str | float | None]:
        """A row for a table of measurements, marked as published."""
        return {
            "scheme": f"published: {self.method}, {self.model} ({self.source})",
            "window": self.window,
            "passes": self.passes,
            "times fewer": self.fewer,
            "times faster": self.faster,
            "seconds": self.seconds,
        }


_COUPLED, _PAC = "arXiv 2510.24211", "arXiv 2603.18599"
_LUMINA, _JANUS, _COSMOS = "Lumina-mGPT 7B on MS-COCO", "Janus-Pro 7B, 576 tokens", "Cosmos-1-AR, video"

FOLLOW_UPS = (
    FollowUp(method="plain", model=_LUMINA, source=_COUPLED, passes=2390, seconds=102.0),
    FollowUp(method="the paper's", model=_LUMINA, source=_COUPLED, window=64, passes=1036, seconds=43.0),
    FollowUp(method="coupled", model=_LUMINA, source=_COUPLED, window=64, passes=568, fewer=4.21, seconds=24.4),
    FollowUp(method="the paper's", model=_JANUS, source=_COUPLED, passes=318, faster=1.25, seconds=10.6),
    FollowUp(method="coupled", model=_JANUS, source=_COUPLED, passes=154, faster=2.45, seconds=5.39),
    FollowUp(method="plain", model=_COSMOS, source=_COUPLED, passes=7680, seconds=157.0),
    FollowUp(method="coupled", model=_COSMOS, source=_COUPLED, passes=564, seconds=13.6),
    FollowUp(method="SJD-PAC", model=_LUMINA, source=_PAC, fewer=4.51, faster=3.80),
    FollowUp(method="SJD-PAC", model="Lumina-mGPT 7B on PartiPrompts", source=_PAC, fewer=4.62, faster=3.97),
    FollowUp(method="SJD-PAC", model="Emu3", source=_PAC, fewer=4.31, faster=3.25),
    FollowUp(method="GSD (another law)", model=_LUMINA, source="arXiv 2508.07747", fewer=3.39, faster=3.62),
    FollowUp(method="SJD2 (fine-tuned)", model=_LUMINA, source="arXiv 2510.08994", fewer=4.02, faster=2.81),
    FollowUp(method="LANTERN++ (another law, trained)", model=_LUMINA, source="as quoted", fewer=3.19, faster=2.28),
    FollowUp(method="EAGLE (trained)", model=_LUMINA, source="as quoted", fewer=2.94, faster=2.10),
)
