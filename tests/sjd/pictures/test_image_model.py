"""The shipped model: its files, its prompts, and that it has learnt something; and the script that makes it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from paperworks.sjd import train_image_model
from paperworks.sjd.drawing import FAST, PAPER, draw
from paperworks.sjd.image_model import CODEC, RECORD, SHIPPED, load
from paperworks.sjd.pictures import NAMES, crops


@pytest.fixture(scope="module")
def shipped():
    return load()


@pytest.fixture(scope="module")
def record():
    return json.loads((SHIPPED / RECORD).read_text())


def test_the_record_fits_the_model(shipped, record):
    assert shipped.prompts == NAMES
    assert shipped.codes == record["codec"]["recipe"]["codes"]
    assert record["parameters"] == sum(parameter.numel() for parameter in shipped.model.parameters())
    assert record["log"][-1]["step"] * record["recipe"]["batch"] * 256 == record["log"][-1]["tokens"]
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 6e6


def test_fresh_crops_cost_as_many_nats_as_the_log_says(shipped, record):
    logged = record["log"][-1]["validation_nats"]
    nats = []
    for name in NAMES:
        drawn = torch.from_numpy(crops(name, 6, np.random.default_rng([77, len(name)]))).movedim(-1, 1) / 255
        codes = shipped.codec.encode(drawn).flatten(1)
        inputs = torch.cat([shipped.ids([name] * 6), codes[:, :-1]], dim=1)
        with torch.inference_mode():
            logits = shipped.model(inputs).logits
        nats.append(torch.nn.functional.cross_entropy(logits.transpose(1, 2), codes).item())
    assert np.mean(nats) == pytest.approx(logged, abs=0.2)
    assert logged < np.log(shipped.codes) / 3


def test_it_knows_which_picture_it_was_asked_for(shipped):
    names = ["astronaut", "flower", "retina", "temple"]
    drawn = [torch.from_numpy(crops(name, 4, np.random.default_rng(5))).movedim(-1, 1) / 255 for name in names]
    codes = torch.cat([shipped.codec.encode(one).flatten(1) for one in drawn])
    losses = []
    for asked in names:
        inputs = torch.cat([shipped.ids([asked] * len(codes)), codes[:, :-1]], dim=1)
        with torch.inference_mode():
            logits = shipped.model(inputs).logits
        losses.append(torch.nn.functional.cross_entropy(logits.transpose(1, 2), codes, reduction="none").mean(1))
    assert torch.equal(torch.stack(losses).argmin(0), torch.arange(4).repeat_interleave(4))


def test_coupled_drafts_take_far_fewer_passes_on_real_pictures(shipped):
    papers, ours = (draw(shipped, shipped.real, range(9), way)[1] for way in (replace(PAPER, window=32), FAST))
    papers, ours = (sum(row.nfe for row in stats.per_row) for stats in (papers, ours))
    assert papers > 1.6 * ours
    assert 3.9 * ours < 9 * 256


def test_the_folder_is_an_ordinary_one_for_transformers(shipped):
    model = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32)
    drawn = model.generate(shipped.ids(["cat"]), attention_mask=torch.ones(1, 1, dtype=torch.long), max_new_tokens=5)
    assert drawn.shape == (1, 6)
    assert (drawn[:, 1:] < shipped.codes).all()


def test_unknown_prompts_are_refused(shipped):
    assert shipped.ids(["cat"]).tolist() == [[shipped.codes + NAMES.index("cat")]]
    with pytest.raises(ValueError, match="not 'dog'"):
        shipped.ids(["dog"])


def test_a_damaged_codec_is_refused(tmp_path):
    for file in SHIPPED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / CODEC).write_bytes(b"nothing")
    with pytest.raises(ValueError, match=f"{CODEC} is damaged or absent"):
        load(tmp_path)


def test_the_script_goes_on_where_it_was_and_ships_a_folder(tmp_path, monkeypatch, capsys):
    codec = replace(train_image_model.CODEC_RECIPE, codes=8, width=8, blocks=1, crops=2, steps=4, batch=2)
    recipe = replace(
        train_image_model.RECIPE,
        vocabulary=8 + len(NAMES),
        hidden=16,
        intermediate=16,
        layers=1,
        heads=2,
        kv_heads=2,
        batch=4,
        tokens=4 * 256 * 4,
    )
    for name, small in {"CODEC_RECIPE": codec, "RECIPE": recipe, "CROPS": {"train": 2, "validation": 1}}.items():
        monkeypatch.setattr(train_image_model, name, small)
    monkeypatch.setattr(train_image_model, "SHOW_EVERY", 2)
    given = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "model"), "--threads", "1"]
    train_image_model.main(given)
    first = capsys.readouterr().out
    assert "codec: step 4" in first
    assert "validation_nats" in first
    made = load(tmp_path / "model")
    assert made.codes == 8
    assert made.paint(np.zeros((1, 256), dtype=np.int64)).shape == (1, 64, 64, 3)
    before = (tmp_path / "model" / "model.safetensors").read_bytes()
    train_image_model.main(given)
    assert capsys.readouterr().out == ""
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == before
