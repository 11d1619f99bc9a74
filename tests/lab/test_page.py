import base64
import doctest
import hashlib
import re
import sys
from html import unescape
from importlib import resources

import pytest
from markupsafe import Markup

from paperworks.core import MissingExtra
from paperworks.lab import page


def test_a_plain_string_is_text_and_markup_is_html():
    assert "<p>&lt;b&gt;1 &amp; 2&lt;/b&gt;</p>" in page.page("T", Markup("<p>{}</p>").format("<b>1 & 2</b>"))
    assert "&lt;script&gt;" in page.page("T", "<script>")
    assert "<title>&lt;i&gt;</title>" in page.page("<i>", "")


def test_a_page_has_its_landmark_its_skip_link_and_its_language():
    html = page.page("T", Markup("<h1>T</h1>"), description="What it is.")
    assert '<html lang="en">' in html
    assert html.index('href="#main"') < html.index('<main id="main"')
    assert '<meta name="description" content="What it is.">' in html


def test_a_page_stands_alone():
    html = page.page("T", "")
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", html)
    assert "@import" not in html
    assert "url(" not in html


def test_the_policy_allows_the_scripts_of_the_page_and_no_other():
    script = "document.title = 'x';"
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page.page("T", "", scripts=[script]))[1])
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "script-src 'none'" in unescape(page.page("T", ""))


def test_styles_of_a_page_come_after_the_houses():
    html = page.page("T", "", styles=[".mine { color: red; }"])
    assert html.index("--surface") < html.index(".mine { color: red; }") < html.index("</style>")


def _ratio(one, other):
    """WCAG 2's contrast of two colours #rrggbb."""

    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_text_can_be_read_on_every_surface(scheme):
    light, dark = page.colours().split("@media screen")
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", light if scheme == "light" else dark))
    text = ("ink", "muted", "accent", "holds", "partly", "fails", "unclear", "untested")
    for name in text:
        for surface in ("surface", "panel"):
            assert _ratio(colours[name], colours[surface]) >= 4.5, (name, surface)
    assert _ratio(colours["ink"], colours["range"]) >= 7


def test_dark_is_for_the_screen_alone():
    assert re.findall(r"@media [^{]*dark[^{]*", page.colours()) == ["@media screen and (prefers-color-scheme: dark) "]


def test_a_name_that_a_template_misspells_is_an_error_and_not_a_gap(tmp_path):
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        page.environment("paperworks.lab").from_string("{{ titel }}").render(title="T")


def test_writing_replaces_the_file_in_one_step_and_only_if_it_changes(tmp_path):
    path = page.write(tmp_path / "a" / "page.html", "one")
    first = path.stat()
    assert first.st_mode & 0o444 == 0o444, "a web server has to be able to read it"
    page.write(path, "one")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    with path.open() as reader:
        page.write(path, "two")
        assert reader.read() == "one", "who has the old page open reads the old page to its end"
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


def test_without_jinja_a_page_says_what_to_install(monkeypatch):
    page.environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=r"an HTML page needs jinja2: pip install 'paperworks\[lab\]'"):
        page.page("T", "")


def test_importing_the_module_needs_no_jinja():
    source = resources.files("paperworks.lab").joinpath("page.py").read_text()
    top = source[: source.index("\ndef ")]
    assert re.findall(r"^(?:from|import) jinja2", top, re.MULTILINE) == []


def test_the_example_in_the_docstring_is_true():
    failed, attempted = doctest.testmod(page)
    assert attempted > 0
    assert failed == 0
