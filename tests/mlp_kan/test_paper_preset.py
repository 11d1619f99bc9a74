"""The paper preset with local stand-ins for what the hub brings: images, sentences, and a BERT with its tokenizer."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from paperworks.core import Measurement, UserError
from paperworks.lab import Lab
from paperworks.mlp_kan import MLPKAN, experiment, hub_data, image_claims, text_claims
from paperworks.mlp_kan.feed_forward import Shape
from paperworks.mlp_kan.hub_data import CIFAR10, SST2

pytestmark = pytest.mark.usefixtures("own_datasets_cache")

SMALL = Shape(width=12, layers=1, expert=4)
SETTINGS = {"experts": 2, "top_k": 1, "shape": SMALL, "threads": 1}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Bright and dark pictures in folders by class, as the hub has them: 24 to train on, 12 to test."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 6)):
        for label, (low, high) in enumerate(((0, 90), (160, 255))):
            (folder / split / str(label)).mkdir(parents=True)
            for n in range(count):
                Image.fromarray(rng.integers(low, high, (8, 8, 3), dtype=np.uint8)).save(
                    folder / split / str(label) / f"{n}.png"
                )
    return replace(CIFAR10, says="stand-ins", dataset=str(folder), image="image", classes=2, size=8)


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    folder, words = tmp_path_factory.mktemp("sentences"), ["good", "bad", "film", "plot", "a"]
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
    model = folder / "bert"
    shape = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig(vocab_size=10, **shape)).save_pretrained(model)
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(model)
    data = folder / "data"
    data.mkdir()
    for split, count in (("train", 12), ("validation", 6)):
        rows = [{"sentence": f"a {words[n % 2]} {words[2 + n % 3]}", "label": 1 - n % 2} for n in range(count)]
        (data / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return replace(SST2, says="stand-ins", dataset=str(data), model=str(model), longest=8)


def test_images_are_read_and_learned(images):
    train, test = hub_data._images(images)
    assert train[0]["pixel_values"].shape == (24, 3, 8, 8)
    assert -1 <= train[0]["pixel_values"].min() < -0.9
    assert test[1].tolist() == [0] * 6 + [1] * 6
    right = hub_data.images_read(seed=0, kind="MLP-KAN", steps=150, data=images, **SETTINGS)
    assert right.tolist() == [1.0] * 12


def test_sentences_are_encoded_and_read_by_the_models_own_weights(sentences, monkeypatch):
    (inputs, labels), _ = hub_data._sentences(sentences)
    assert inputs["input_ids"][0].tolist() == [2, 9, 5, 7, 3, 0, 0, 0]
    assert inputs["attention_mask"][0].tolist() == [1] * 5 + [0] * 3
    assert labels[:2].tolist() == [1, 0]
    seen = []
    made = hub_data._bert(sentences)
    monkeypatch.setattr(hub_data, "_bert", lambda data: seen.append(made) or made)
    right = hub_data.sentences_read(seed=0, kind="MLP-KAN", steps=2, data=sentences, **SETTINGS)
    assert right.shape == (6,)
    assert sum(isinstance(module, MLPKAN) for module in seen[0].modules()) == 1


def test_the_claims_are_measured_on_them(images, sentences, tmp_path, monkeypatch):
    sizes = replace(
        experiment.PRESETS["paper"], image_steps=150, text_steps=1, shape=SMALL, images=images, sentences=sentences
    )
    lab = Lab("mlp_kan", seeds=3, home=tmp_path)
    (text,) = text_claims.text(lab, sizes)
    assert text.scale == "same"
    assert "stand-ins" in text.setting

    def read(*, seed, kind, experts, top_k, **settings):
        assert settings["data"] is images
        return np.random.default_rng([seed, experts, top_k]).random(200) < (0.9 if kind == "MLP-KAN" else 0.6)

    monkeypatch.setattr(hub_data, "images_read", read)
    results = {result.claim: result for result in image_claims.images(lab, sizes)}
    assert set(results) == set(image_claims.CLAIMS)
    assert results["MK3-MLP"].value == pytest.approx(1.5, abs=0.1)
    assert results["MK3-KAN"].value == pytest.approx(30, abs=4)
    assert all(isinstance(result, Measurement) and "stand-ins" in result.setting for result in results.values())


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_had_is_one_sentence(images, sentences, tmp_path):
    with pytest.raises(UserError, match="stand-ins cannot be had"):
        hub_data._images(replace(images, label="kind"))
    with pytest.raises(UserError, match="not of 32 x 32 pixels"):
        hub_data._images(replace(images, size=32))
    with pytest.raises(UserError, match=r"the tokenizer of .* cannot be had"):
        hub_data._sentences(replace(sentences, model=str(tmp_path)))
    with pytest.raises(UserError, match=r"for stand-ins cannot be had"):
        hub_data._bert(replace(sentences, model=str(tmp_path)))
