"""``paperworks sjd sample``, as a person calls it."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image

from paperworks.lab import cli
from paperworks.sjd import showing
from paperworks.sjd.cli import app


@pytest.fixture
def call(capsys, tmp_path, image, monkeypatch):
    """The command with the tiny model in the shipped one's place: exit code, standard output and error."""
    monkeypatch.setattr(showing, "load", lambda folder: image)

    def run(*arguments):
        given = ["sample", "--out", str(tmp_path / "grid.png"), *map(str, arguments)]
        code = cli.run(app, given, name="paperworks sjd", tracebacks=tmp_path / "tracebacks")
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_both_decoders_stand_above_each_other_and_draw_the_same(call, tmp_path):
    code, out, _ = call("--prompt", "boat", "--prompt", "tree", "--compare", "--window", 8)
    assert code == 0
    assert "2 of 2 pictures are the same" in out
    assert "times fewer passes" in out
    sheet = Image.open(io.BytesIO((tmp_path / "grid.png").read_bytes()))
    assert sheet.size == (2 * (16 * 3 + 4) + 4, 2 * (16 * 3 + 4) + 4)
    above, below = sheet.crop((4, 4, 52, 52)), sheet.crop((4, 56, 52, 104))
    assert above.tobytes() == below.tobytes()
    assert len(above.getcolors()) > 4


def test_json_has_a_record_a_picture(call):
    code, out, _ = call("--scheme", "paper", "--compare", "--json")
    records = json.loads(out)
    assert code == 0
    assert [record["decoder"] for record in records] == ["plain", "paper"] * 6
    assert all(record["passes"] == 16 for record in records[::2])
    assert all(1 < record["passes"] <= 16 and record["seconds"] > 0 for record in records[1::2])


def test_one_decoder_alone_says_how_many_pictures_it_wrote(call, tmp_path):
    _, out, _ = call("--prompt", "house", "--top-k", 3)
    assert f"{tmp_path / 'grid.png'}: 1 pictures" in out


def test_a_seed_is_a_picture(call, tmp_path):
    sheets = []
    for seed in (1, 1, 2):
        call("--prompt", "boat", "--seed", seed)
        sheets.append((tmp_path / "grid.png").read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--prompt", "dog"), "not 'dog'"),
        (("--scheme", "best"), "--scheme is one of reproducible, fast, paper; not 'best'"),
        (("--window", "0"), "--window"),
    ],
)
def test_wrong_input_gets_one_sentence(call, given, says):
    code, out, err = call(*given)
    assert code == 2
    assert out == ""
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_a_folder_of_something_else_is_refused(call, tmp_path):
    code, _, err = call("--model", tmp_path)
    assert code == 2
    assert "has no recipe.json" in err


def test_a_hub_that_does_not_answer_is_said(call, monkeypatch):
    def unreachable(name):
        raise OSError("no route\nand more")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    code, _, err = call("--model", "someone/something")
    assert code == 2
    assert "'someone/something' is no folder, and not to be had from the hub: no route" in err


def test_a_file_that_cannot_be_written_is_said(call, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = call("--prompt", "boat", "--out", tmp_path / "file" / "grid.png")
    assert code == 2
    assert "cannot be written" in err
