"""The house style: colours that can be told apart, charts that say what they show, nothing left in global state."""

import itertools
import sys

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text

from paperworks.lab import page, plots


def shown_texts(ax):
    return [text.get_text() for text in ax.texts]


def test_the_first_colours_stand_out_from_white_and_from_near_black():
    for colour in plots.PALETTE[:4]:
        assert plots.contrast(colour, "#ffffff") >= 3
        assert plots.contrast(colour, "#141619") >= 3


def test_contrast_is_wcags():
    assert plots.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert plots.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    assert plots.contrast("#123456", "#123456") == 1


# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
DEFICIENCIES = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab_colour(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    f = np.cbrt(xyz / (0.9505, 1.0, 1.089))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_no_two_of_the_first_colours_look_alike_to_the_colour_blind(deficiency):
    matrix = np.array(DEFICIENCIES[deficiency])
    rgb = [np.array(mpl.colors.to_rgb(colour)) for colour in plots.PALETTE[:4]]
    linear = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in rgb]
    seen = [lab_colour(np.clip(matrix @ c, 0, 1)) for c in linear]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert nearest > 12  # a just noticeable difference is about 2.3


@pytest.mark.parametrize("fill", ["#440154", "#fde725", "#808080", *plots.PALETTE])
def test_text_on_a_fill_can_be_read(fill):
    assert plots.contrast(plots.on_fill(fill), fill) >= 4.2


def test_the_page_defines_the_colours_that_figures_ask_for():
    assert all(f"--{name}:" in page.colours() for name in ("grid", "muted", "surface"))


def test_drawing_leaves_no_global_state():
    before = dict(mpl.rcParams)
    _, ax = plots.figure()
    plots.line(ax, [1, 2], [1, 2], label="a")
    assert dict(mpl.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_sizes_are_as_asked():
    fig, axes = plots.panels(2, 3, width=8, ratio=0.5, sharex=True)
    assert fig.get_size_inches() == pytest.approx((8, 4))
    assert axes.shape == (2, 3)
    with pytest.raises(ValueError, match="above 0"):
        plots.figure(width=0)


DOTS = [
    plots.Dot(label="C1", value=0.9, low=0.8, high=1.0, published=0.95),
    plots.Dot(label="C5", value=1.2, low=1.1, high=1.4, hollow=True, group=1),
]


def test_an_interval_chart_shows_values_intervals_and_published_numbers():
    _, ax = plots.figure()
    plots.intervals(ax, DOTS, null=1.0, null_label="no difference")
    spans = [drawn.get_xdata() for drawn in ax.lines if len(drawn.get_xdata()) == 2]
    assert [0.8, 1.0] in [list(span) for span in spans]
    assert [1.1, 1.4] in [list(span) for span in spans]
    points = {drawn.get_marker(): float(drawn.get_xdata()[0]) for drawn in ax.lines if len(drawn.get_xdata()) == 1}
    assert points["D"] == 0.95
    assert [label.get_text() for label in ax.get_yticklabels()] == ["C1", "C5"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first row is on top"
    assert shown_texts(ax) == ["no difference"]
    faces = [drawn.get_markerfacecolor() for drawn in ax.lines if drawn.get_marker() == "o"]
    assert faces == [plots.PALETTE[0], plots.SURFACE], "a stand-in is hollow"


def test_an_interval_chart_needs_rows():
    _, ax = plots.figure()
    with pytest.raises(ValueError, match="at least one row"):
        plots.intervals(ax, [])


def test_lines_take_the_next_colour_whatever_else_is_drawn():
    _, ax = plots.figure()
    plots.line(ax, [1, 2], [1, 2], label="a")
    ax.axhline(1)
    plots.line(ax, [1, 2], [2, 1], low=[1, 0], high=[3, 2], label="b", dashed=True)
    named = [drawn for drawn in ax.lines if drawn.get_label() in {"a", "b"}]
    assert [drawn.get_color() for drawn in named] == list(plots.PALETTE[:2])
    assert len(ax.collections) == 1


@pytest.mark.parametrize("parts", [{"low": [1, 2]}, {"high": [1, 2]}, {"low": [1], "high": [2]}])
def test_a_band_needs_both_edges_of_the_lines_length(parts):
    _, ax = plots.figure()
    with pytest.raises(ValueError, match="line 'a'"):
        plots.line(ax, [1, 2], [1, 2], label="a", **parts)


def test_labels_at_the_lines_ends_do_not_overlap():
    fig, ax = plots.figure()
    for index in range(5):
        plots.line(ax, [1, 2, 3], [index, 0.5, 1 + 0.001 * index], label=f"line {index}")
    plots.label_lines(ax)
    fig.draw_without_rendering()
    assert shown_texts(ax) == [f"line {index}" for index in range(5)]
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # an annotation's own has its leader too
    heights = sorted(((box.y0 + box.y1) / 2 for box in boxes), reverse=True)
    assert min(a - b for a, b in itertools.pairwise(heights)) > 0.9 * boxes[0].height
    assert all(fig.bbox.x0 <= box.x0 <= box.x1 <= fig.bbox.x1 for box in boxes), "nothing is cut off"


@given(st.lists(st.floats(-500, 500), max_size=8), st.floats(1, 20))
def test_spreading_keeps_order_and_distance_and_moves_only_what_is_too_close(heights, gap):
    moved = plots._spread(heights, gap)
    pairs = sorted(zip(heights, moved, strict=True))
    assert all(b - a >= gap * (1 - 1e-6) for (_, a), (_, b) in itertools.pairwise(sorted(pairs, key=lambda p: p[1])))
    assert sum(moved) == pytest.approx(sum(heights), abs=1e-6)
    if all(b - a >= gap for a, b in itertools.pairwise(sorted(heights))):
        assert moved == pytest.approx(heights)
