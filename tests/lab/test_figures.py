"""Figures that can stand in any page, dark or light, look the same each time, and stay small."""

import base64
import io
import json
import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from paperworks.app.evidence import MAX_FIGURE_BYTES
from paperworks.app.evidence import Figure as EvidenceFigure
from paperworks.lab import Lab, figures, plots


def drawn(points: int = 20) -> Figure:
    fig, ax = plots.figure()
    x = np.linspace(0, 1, points)
    ax.imshow(np.eye(3), extent=(0, 1, 0, 1), aspect="auto")
    plots.line(ax, x, x**2, low=x**2 - 0.1, high=x**2 + 0.1, label="ours & theirs")
    ax.plot(x, x, color="black")
    ax.set_xlabel("bits <$k$>")
    plots.label_lines(ax)
    return fig


def event_of(drawing, name="error-by-bits", alt="Error falls with bits.") -> dict[str, str]:
    events: list[dict[str, str]] = []
    assert Lab("made_up", emit=events.append).figure(name, drawing, alt) == name
    (event,) = events
    return event


def image_in(event: dict[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(event["png_base64"])))


def test_a_figure_goes_out_as_an_event_that_evidence_takes():
    event = event_of(drawn())
    assert {key: event[key] for key in ("event", "name", "alt")} == {
        "event": "figure",
        "name": "error-by-bits",
        "alt": "Error falls with bits.",
    }
    EvidenceFigure(alt=event["alt"], svg=json.loads(json.dumps(event))["svg"])


def test_the_svg_is_one_element_with_a_name_for_those_who_do_not_see_it():
    svg = event_of(drawn(), alt='What "it" shows & <more>')["svg"]
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'What "it" shows & <more>'
    assert root.get("viewBox")


def test_the_svg_asks_for_nothing_from_elsewhere():
    svg = event_of(drawn())["svg"]
    links = re.findall(r'(?:href|src)="([^"]*)"|url\(([^)]*)\)', svg)
    assert links
    assert all((a or b).startswith(("#", "data:image/png;base64,")) for a, b in links)
    assert "<style" not in svg, "a style sheet in an inlined figure would style the whole page"
    assert "<script" not in svg
    assert "metadata" not in svg


def test_text_stays_text_in_the_pages_own_typeface():
    svg = event_of(drawn())["svg"]
    texts = ["".join(node.itertext()) for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert "ours & theirs" in texts
    assert any("".join(text.split()) == "bits<k>" for text in texts)
    assert "DejaVu" not in svg


def test_monospaced_text_stays_monospaced():
    fig, ax = plots.figure()
    ax.text(0.5, 0.5, "x = 1", family="monospace")
    assert "ui-monospace, monospace" in event_of(fig)["svg"]


def test_black_white_and_the_houses_colours_follow_the_page():
    svg = event_of(drawn())["svg"]
    for fixed in ("#000000", plots.INK, plots.SURFACE):
        assert not re.search(rf": {fixed}\b", svg)
    assert "stroke: currentColor" in svg
    assert f"stroke: var(--grid, {plots.GRID})" in svg
    assert plots.PALETTE[0] in svg, "the colours of data are the same everywhere"


def test_the_ground_is_the_pages_own_even_without_the_house_style():
    fig = Figure()
    fig.subplots().plot([1, 2])
    assert "fill: #ffffff" not in event_of(fig)["svg"]


def test_text_on_a_fill_keeps_its_colour():
    fig, ax = plots.figure()
    ax.text(0.5, 0.5, "0.93", color=plots.LIGHT_TEXT)
    assert plots.LIGHT_TEXT in event_of(fig)["svg"]


def test_ids_begin_with_the_name_so_that_figures_may_share_a_page():
    one, other = event_of(drawn(), name="one")["svg"], event_of(drawn(), name="other")["svg"]
    ids = [set(re.findall(r'\bid="([^"]+)"', svg)) for svg in (one, other)]
    assert ids[0]
    assert all(name.startswith("one-") for name in ids[0])
    assert not ids[0] & ids[1]
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', one))
    assert used
    assert used <= ids[0], "every reference must find its element"


def test_the_same_drawing_gives_the_same_bytes_in_every_process():
    code = (
        "import numpy as np\n"
        "from paperworks.lab import figures, plots\n"
        "fig, ax = plots.figure()\n"
        "plots.line(ax, [1, 2, 3], [3, 1, 2], low=[2, 0, 1], high=[4, 2, 3], label='a', marker='o')\n"
        "plots.label_lines(ax)\n"
        "ax.imshow(np.eye(3))\n"
        "print(figures.svg(fig, 'same', 'same'))"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0]


def test_a_figure_with_too_many_points_becomes_an_image_that_fits():
    fig, ax = plots.figure()
    ax.plot(*np.random.default_rng(0).random((2, 30_000)), linewidth=0.2)
    event = event_of(fig)
    assert "svg" not in event
    assert len(event["png_base64"]) <= MAX_FIGURE_BYTES == figures.MAX_BYTES
    assert image_in(event).getpixel((0, 0))[:3] == (255, 255, 255), (
        "a PNG cannot follow the page: it has its own ground"
    )


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 7), np.uint8),
        np.full((5, 7, 3), 0.5),
        np.zeros((5, 7, 4), np.float32),
        Image.new("RGB", (7, 5)),
        Image.new("CMYK", (7, 5)),
        Image.new("F", (7, 5)),
    ],
    ids=["grey", "rgb floats", "rgba floats", "PIL", "CMYK", "PIL floats"],
)
def test_images_are_kept_pixel_by_pixel(image):
    assert image_in(event_of(image)).size == (7, 5)


def test_float_images_are_rounded_to_bytes():
    pixels = np.array([[0.0, 0.5, 1.0]])
    assert np.asarray(image_in(event_of(pixels))).tolist() == [[0, 128, 255]]


def test_an_image_that_is_too_large_is_made_smaller():
    noise = np.random.default_rng(0).integers(256, size=(600, 900, 3), dtype=np.uint8)
    event = event_of(noise)
    assert len(event["png_base64"]) <= MAX_FIGURE_BYTES
    width, height = image_in(event).size
    assert width / height == pytest.approx(1.5, rel=0.02)
    assert height > 150


@pytest.mark.parametrize(
    ("drawing", "error", "says"),
    [
        ("path.png", TypeError, "is a str; give a matplotlib Figure"),
        (np.zeros((2, 2), np.int64), TypeError, "is of int64"),
        (np.zeros(4, np.uint8), ValueError, r"has shape \(4,\)"),
        (np.zeros((2, 2, 2), np.uint8), ValueError, "has shape"),
        (np.zeros((0, 3), np.uint8), ValueError, "has shape"),
        (np.array([[0.0, 1.5]]), ValueError, r"outside \[0, 1\]"),
        (np.array([[0.0, np.nan]]), ValueError, r"outside \[0, 1\]"),
    ],
)
def test_what_is_no_image_is_refused(drawing, error, says):
    with pytest.raises(error, match=says):
        event_of(drawing)


@pytest.mark.parametrize("name", ["", "Error", "a b", "1a", "a/b", '"><script>', "a-"])
def test_a_name_must_make_an_id(name):
    with pytest.raises(ValueError, match="is named by"):
        event_of(drawn(), name=name)


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_figure_needs_words(alt):
    with pytest.raises(ValueError, match="say in words what it shows"):
        event_of(drawn(), alt=alt)


def test_a_name_is_taken_once_but_not_by_a_figure_that_failed():
    lab = Lab("made_up")
    with pytest.raises(ValueError, match="words"):
        lab.figure("one", drawn(), "")
    lab.figure("one", drawn(), "It rises.")
    with pytest.raises(ValueError, match="already has a figure 'one'"):
        lab.figure("one", drawn(), "It rises.")
