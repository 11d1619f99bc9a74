"""The paper preset with local stand-ins for what the hub brings: documents to read, and HellaSwag's questions."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from paperworks.core import Measurement, MissingExtra, UserError, paper, verdict
from paperworks.lab import Lab
from paperworks.lab.tiny_lm import Recipe
from paperworks.selective_attention import experiment, hellaswag, selective_lm, texts
from paperworks.selective_attention.hellaswag import HellaSwag
from paperworks.selective_attention.sizes import AssignmentSizes
from paperworks.selective_attention.texts import HubText

pytestmark = pytest.mark.usefixtures("own_datasets_cache")

TASK = """
task: hellaswag
dataset_path: json
dataset_kwargs:
  data_files:
    validation: {data}
validation_split: validation
output_type: multiple_choice
doc_to_text: "{{{{query}}}}"
doc_to_target: "{{{{label}}}}"
doc_to_choice: "{{{{choices}}}}"
metric_list:
  - metric: acc
  - metric: acc_norm
metadata:
  version: 1
"""
QUESTIONS = [
    {"query": "import os\n\n\nclass A:\n    def", "choices": ["!", " __init__(self", "$$", "~~~"], "label": 1},
    {"query": "for i in", "choices": ["###", "???", " range(", "@@"], "label": 2},
    {"query": "if x is not", "choices": [" None:", "%%%", "~", "^^"], "label": 3},
] * 4


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    """A data set as the hub has it: documents by line, some of them empty."""
    folder = tmp_path_factory.mktemp("documents")
    for split, count in (("train", 400), ("validation", 12)):
        rows = [{"text": f"{split} {n}. The café is open.\nIt is {n}." if n % 5 else " "} for n in range(count)]
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return HubText(dataset=str(folder), subset=None, says="stand-ins", train_characters=9_000, held_out=4)


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    (folder / "questions.json").write_text("\n".join(map(json.dumps, QUESTIONS)))
    (folder / "hellaswag.yaml").write_text(TASK.format(data=folder / "questions.json"))
    return HellaSwag(folder=str(folder))


def lab_in(folder, **more):
    return Lab("selective_attention", seeds=3, home=folder / "home", cache=folder / "cache", **more)


def test_documents_of_a_data_set_become_a_corpus(documents, tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "_SHARD", 1000)
    found = texts.read(lab_in(tmp_path), documents)
    assert (found.says, found.items) == ("stand-ins", "documents")
    train = [*found.corpus.texts("train")]
    assert all(1000 <= len(text) < 1100 for text in train[:-1])
    read = "\n\n".join(train).split("\n\n")
    assert read[:5] == [f"train {n}. The café is open.\nIt is {n}." for n in (1, 2, 3, 4, 6)]
    assert 9_000 <= sum(map(len, read)) < 9_050
    held_out = [text.split(".")[0] for split in ("validation", "test") for text in found.corpus.texts(split)]
    assert held_out == [f"validation {n}" for n in (1, 2, 3, 4, 6, 7, 8, 9)]
    monkeypatch.setattr(texts, "_documents", None)  # a second time it is not asked for
    assert texts.read(lab_in(tmp_path), documents).corpus.digest == found.corpus.digest


@pytest.mark.filterwarnings("ignore")
def test_data_that_cannot_be_had_is_one_sentence(documents, tmp_path, monkeypatch):
    lab = lab_in(tmp_path)
    with pytest.raises(UserError, match="has 9 documents for validation, fewer than the 20"):
        texts.read(lab, replace(documents, held_out=10))
    with pytest.raises(UserError, match="cannot be had"):
        texts.read(lab, replace(documents, column="body"))
    with pytest.raises(UserError, match="cannot be had"):
        texts.read(lab, replace(documents, dataset=str(tmp_path / "nowhere")))
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"needs datasets: pip install 'paperworks\[lm-eval\]'"):
        texts.read(lab, documents)


def test_questions_are_answered_by_likelihood_a_byte(questions):
    """Two of three questions have the ending that a model of Python must like best for their answer."""
    model, tokenizer = selective_lm.load().model, selective_lm.tokenizer()
    state = torch.get_rng_state()
    assert hellaswag.answers(model, tokenizer, questions).tolist() == [1, 1, 0] * 4
    assert torch.equal(torch.get_rng_state(), state)


def test_without_the_harness_the_message_names_the_extra(questions, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(MissingExtra, match=r"needs lm_eval: pip install 'paperworks\[lm-eval\]'"):
        hellaswag.answers(None, None, questions)


def test_the_preset_measures_every_claim(documents, questions, tmp_path):
    sizes = experiment.PRESETS["paper"]
    tiny = {"hidden": 16, "intermediate": 16, "layers": 2, "heads": 2, "kv_heads": 2, "vocabulary": 300}
    tiny |= {"context": 64, "tokens": 1536, "batch": 4, "precision": "float32"}
    recipe = replace(sizes.language.recipes[0], **tiny)
    language = replace(
        sizes.language,
        recipes=(recipe, replace(recipe, context=32)),
        checkpoints=1,
        pruned_tokens_per_file=20,
        budget_sequences=2,
        budget_step=16,
        text=documents,
        questions=questions,
    )
    events = []
    lab = lab_in(tmp_path, preset="paper", device="cpu", emit=events.append)
    sizes = replace(sizes, assignment=AssignmentSizes(steps=1, rows=4), language=language)
    found = {result.claim: result for result in experiment.run(lab, sizes)}
    claims = {claim.id: claim for claim in paper("selective_attention").claims}
    assert set(found) == set(claims)
    endings = found["S5"]
    assert isinstance(endings, Measurement)
    assert "12 questions" in endings.setting
    assert endings.value == min(row["difference, points"] for row in endings.rows)
    assert "stand-ins" in found["S1"].setting
    assert "4 documents" in found["S1"].setting
    assert all(verdict(claims[claim], result) for claim, result in found.items())


def test_its_models_are_of_the_papers_shapes():
    recipes: tuple[Recipe, ...] = experiment.PRESETS["paper"].language.recipes
    assert {recipe.context for recipe in recipes if recipe.layers == 12} == {512, 1024, 2048}
    assert all(recipe.hidden == 64 * recipe.layers == 64 * recipe.heads for recipe in recipes)
    assert np.unique([recipe.batch * recipe.context for recipe in recipes]).tolist() == [65_536]
