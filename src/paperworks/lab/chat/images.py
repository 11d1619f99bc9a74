"""Images as chat models take them: encoded bytes with a media type, sent as data URLs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage

MOST_BYTES = 20_000_000
"""The largest encoded image that is taken. Base64 makes it a third larger on the way."""
_FORMS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))
_MODES = {"1", "L", "LA", "P", "RGB", "RGBA"}  # what PNG holds and every server reads


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image: PNG, JPEG, WebP or GIF, at most `MOST_BYTES`. `Image.of` makes one.

    Raises ValueError for bytes that are none of these, or too many.
    """

    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.data) > MOST_BYTES:
            raise ValueError(
                f"an image of {len(self.data)} bytes is larger than the {MOST_BYTES} that are taken; "
                "give Image.of(..., longest_side=1024)"
            )
        _ = self.media_type

    @classmethod
    def of(cls, source: PILImage | Path | bytes, *, longest_side: int | None = None) -> Image:
        """``source`` as it is, or, with ``longest_side`` in pixels, shrunk to that (never enlarged).

        A PIL image becomes PNG, which loses nothing. A path or bytes are sent unchanged unless they must shrink.
        Raises ValueError as `Image` does, OSError for a file that cannot be read.
        """
        if longest_side is not None and longest_side < 1:
            raise ValueError(f"longest_side is a number of pixels from 1, not {longest_side}")
        data = source.read_bytes() if isinstance(source, Path) else source
        if isinstance(data, bytes):
            image = None if longest_side is None else _open(data)
            if image is None or longest_side is None or max(image.size) <= longest_side:
                return cls(data)
            data = image
        if longest_side is not None and max(data.size) > longest_side:
            data = data.copy()
            data.thumbnail((longest_side, longest_side))
        return cls(_png(data))

    @property
    def media_type(self) -> str:
        """What the first bytes say it is, such as ``"image/png"``."""
        for start, kind in _FORMS:
            if self.data.startswith(start):
                return kind
        if self.data[:4] == b"RIFF" and self.data[8:12] == b"WEBP":
            return "image/webp"
        raise ValueError("these bytes are no PNG, JPEG, WebP or GIF image; open them with PIL and give that image")

    @property
    def data_url(self) -> str:
        """The image as a ``data:`` URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"

    def pixels(self) -> PILImage:
        """The decoded image."""
        return _open(self.data)


def _open(data: bytes) -> PILImage:
    from PIL import Image as Pillow

    return Pillow.open(io.BytesIO(data))


def _png(image: PILImage) -> bytes:
    buffer = io.BytesIO()
    (image if image.mode in _MODES else image.convert("RGB")).save(buffer, format="PNG")
    return buffer.getvalue()
