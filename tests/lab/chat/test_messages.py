"""What is said: roles, parts, and images as every server takes them."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from paperworks.lab.chat import Image, Message, Sampling, assistant, system, user
from paperworks.lab.chat import images as image_module
from paperworks.lab.chat.messages import as_messages


def picture(width: int = 40, height: int = 20, mode: str = "RGB") -> Pillow.Image:
    values = np.arange(width * height, dtype=np.uint8).reshape(height, width)
    return Pillow.fromarray(values).convert(mode)


def encoded(form: str) -> bytes:
    buffer = io.BytesIO()
    picture().save(buffer, format=form)
    return buffer.getvalue()


def test_text_alone_is_sent_as_text():
    assert [message.to_json() for message in (system("Be brief."), user("Why?"), assistant("Because."))] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because."},
    ]


def test_images_keep_their_place_between_the_texts(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG"))
    message = user("First", tmp_path / "a.jpg", encoded("WEBP"), "then", picture())
    content = message.to_json()["content"]
    assert [part["type"] for part in content] == ["text", "image_url", "image_url", "text", "image_url"]
    urls = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
    assert [url.partition(";")[0] for url in urls] == ["data:image/jpeg", "data:image/webp", "data:image/png"]
    assert base64.b64decode(urls[0].partition(",")[2]) == encoded("JPEG"), "a file is sent as it is"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"])
def test_a_pil_image_of_any_mode_becomes_png(mode):
    image = Image.of(picture().convert("F").convert(mode) if mode in ("I;16", "F") else picture(mode=mode))
    assert image.media_type == "image/png"
    assert image.pixels().size == (40, 20)


def test_png_loses_nothing():
    assert np.array_equal(np.asarray(Image.of(picture()).pixels()), np.asarray(picture()))


@pytest.mark.parametrize("source", ["pil", "bytes"])
def test_a_longest_side_shrinks_and_never_enlarges(source):
    given = picture(40, 20) if source == "pil" else encoded("PNG")
    assert Image.of(given, longest_side=10).pixels().size == (10, 5)
    assert Image.of(given, longest_side=40).pixels().size == (40, 20)
    assert Image.of(given, longest_side=999).pixels().size == (40, 20)
    with pytest.raises(ValueError, match="longest_side"):
        Image.of(given, longest_side=0)


def test_an_image_that_is_too_large_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(image_module, "MOST_BYTES", 100)
    with pytest.raises(
        ValueError, match=r"larger than the 100 that are taken; give Image.of\(..., longest_side=1024\)"
    ):
        Image.of(encoded("PNG"))


@pytest.mark.parametrize("data", [b"", b"GIF", b"RIFF1234WAVE", b"<svg/>", b"%PDF-1.7"])
def test_bytes_that_are_no_image_are_refused(data):
    with pytest.raises(ValueError, match="no PNG, JPEG, WebP or GIF"):
        user("What is this?", data)


def test_an_image_does_not_fill_the_screen_when_shown():
    assert len(repr(user("What?", picture()))) < 100


@pytest.mark.parametrize("parts", [(), ["text"], "text"])
def test_a_message_needs_parts(parts):
    with pytest.raises(ValueError, match="at least one part"):
        Message("user", parts)


def test_a_wrong_role_part_or_text_is_refused():
    with pytest.raises(ValueError, match="role is one of system, user, assistant, not 'robot'"):
        Message("robot", ("hello",))
    with pytest.raises(TypeError, match="not int"):
        Message("user", (3,))
    with pytest.raises(ValueError, match="surrogate"):
        user("\ud800")


def test_a_conversation_is_made_of_what_is_handy():
    assert as_messages("Why?") == as_messages(user("Why?")) == as_messages([user("Why?")]) == (user("Why?"),)
    with pytest.raises(ValueError, match="no message"):
        as_messages([])
    with pytest.raises(TypeError, match="made of Message, not str"):
        as_messages(["Why?", "How?"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_p": 1.1},
        {"max_tokens": 0},
        {"stop": "END"},
        {"stop": ("",)},
    ],
)
def test_sampling_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sampling(**wrong)


@pytest.mark.parametrize(
    ("sampling", "repeatable"),
    [
        ({}, True),
        ({"temperature": 0.7}, False),
        ({"temperature": None}, False),
        ({"temperature": 0.7, "seed": 1}, True),
        ({"temperature": None, "sample": 0}, True),
    ],
)
def test_an_answer_is_repeatable_where_nothing_is_drawn_or_the_draw_is_named(sampling, repeatable):
    assert Sampling(**sampling).is_repeatable is repeatable
