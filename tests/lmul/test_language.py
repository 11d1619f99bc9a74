"""Small language models under every arithmetic: what is read, what is tuned, and what `eval` prints of any model."""

import json

import numpy as np
import pytest

from paperworks.app.main import main
from paperworks.core import UserError
from paperworks.lab import Lab, tiny_lm
from paperworks.lmul import language
from paperworks.lmul.perplexity import perplexities

NAMES = ("float32", "e5m2", "carry4")


@pytest.fixture
def lab(tmp_path):
    return Lab("lmul", home=tmp_path / "steps", cache=tmp_path / "cache", emit=lambda event: None)


@pytest.fixture(scope="module")
def text():
    return "def add(a, b):\n    return a + b\n\n" * 120


def test_every_file_is_read_from_its_start_and_counted_alike(lab):
    read = language.attention(lab, recipe="tiny_lm", seed=0, tokens_per_file=30, contenders=NAMES)
    corpus = tiny_lm.trained(lab).corpus
    assert len(corpus.split("test")) + len(corpus.split("validation")) == read["file"].max()
    assert np.all(np.bincount(read["file"])[1:] <= 29)  # 30 with the separator, which is not counted
    for name in NAMES:
        assert read["nats"][name].shape == read["correct"][name].shape == read["file"].shape
    assert not np.array_equal(read["nats"]["carry4"], read["nats"]["float32"])


def test_lmul_in_attention_is_near_float32_and_coarse_operands_are_not(lab):
    read = language.attention(
        lab, recipe="tiny_lm", seed=0, tokens_per_file=60, contenders=("float32", "carry7", "truncated2")
    )
    exact = read["nats"]["float32"].mean()
    assert abs(read["nats"]["carry7"].mean() - exact) < 0.02
    assert read["nats"]["truncated2"].mean() > exact + 0.02


def test_held_out_topics_are_no_training_topics():
    train, held_out = language._documentation()
    assert len(train) + len(held_out) == len(language.topics)
    assert not set(train) & set(held_out)
    assert 0.1 < len(held_out) / len(language.topics) < 0.35


def test_perplexities_resume_and_are_paired(tmp_path, text):
    folder, seen = str(tiny_lm.SHIPPED), []
    settings = {"text": text, "tokens": 600, "contenders": ("carry4", "e4m3"), "home": tmp_path}
    first = list(perplexities(folder, progress=lambda *what: seen.append(what[0]), **settings))
    assert [result.contender for result in first] == ["float32", "carry4", "e4m3"] == list(dict.fromkeys(seen))
    assert first[0].change == first[0].low == first[0].high == 0
    assert all(result.low <= result.change <= result.high for result in first)
    seen.clear()
    assert list(perplexities(folder, progress=lambda *what: seen.append(what[0]), **settings)) == first
    assert not seen, "finished arithmetics are read back"


def test_linear_layers_count_with_targets_all(tmp_path, text):
    folder = str(tiny_lm.SHIPPED)
    kinds = [
        list(perplexities(folder, text=text, tokens=400, contenders=("carry2",), targets=targets, home=tmp_path))[1]
        for targets in ("attention", "all")
    ]
    assert abs(kinds[0].change) < abs(kinds[1].change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contenders": ("carry99",)}, "no arithmetic carry99; choose from float32"),
        ({"targets": "mlp"}, "targets is 'attention' or 'all', not 'mlp'"),
        ({"text": "short"}, "at least 321 are needed"),
    ],
)
def test_wrong_requests_are_one_sentence(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        list(perplexities(str(tiny_lm.SHIPPED), home=tmp_path, **{"text": "x = 1\n" * 500, **change}))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="neither a folder nor a hub id of a causal language model"):
        list(perplexities(str(tmp_path)))


def run(capsys, *arguments):
    code = main([*arguments])
    return code, *capsys.readouterr()


def test_command_table(capsys):
    code, out, _ = run(capsys, "lmul", "table", "--k", "4", "--json")
    assert code == 0
    (adder,) = [r for r in json.loads(out) if (r["method"], r["rounding"]) == ("carry", "truncate")]
    assert adder["rms"] == pytest.approx(0.03586, abs=2e-4)
    code, out, _ = run(capsys, "lmul", "table", "--k", "3")
    assert code == 0
    assert "5.96 %" in out
    code, _, err = run(capsys, "lmul", "table", "--dist", "normal")
    assert code == 2
    assert "dist must be one of 'uniform', 'benford'" in err


def test_command_energy(capsys):
    code, out, _ = run(capsys, "lmul", "energy", "--model", str(tiny_lm.SHIPPED), "--seq-len", "16", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["weights"] == 2_755_008
    assert report["arithmetic"]["fp32"]["saving"] == pytest.approx(0.783, abs=1e-3)


def test_command_eval(capsys, tmp_path, text):
    file = tmp_path / "text.py"
    file.write_text(text)
    arguments = ("--model", str(tiny_lm.SHIPPED), "--text", str(file), "--tokens", "400", "--arithmetic", "carry4")
    code, out, _ = run(capsys, "lmul", "eval", *arguments)
    assert code == 0
    assert "L-Mul, adder, k = 4" in out
    code, _, err = run(capsys, "lmul", "eval", "--model", str(tiny_lm.SHIPPED), "--text", str(tmp_path / "absent"))
    assert code == 2
    assert "cannot be read as UTF-8 text" in err
