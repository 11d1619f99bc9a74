"""The paper preset with local stand-ins for what its hub ids bring: a model's folder, a task, a data set."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from paperworks.app.main import main
from paperworks.core import MissingExtra, UserError
from paperworks.lab import Lab, tiny_lm
from paperworks.lmul import attention, digits, experiment, harness, hub, hub_claims, simulate
from paperworks.lmul.config import LMulConfig

pytestmark = pytest.mark.usefixtures("own_datasets_cache")

MODEL = str(tiny_lm.SHIPPED)
TASK = """
task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
doc_to_text: "{{{{question}}}}"
metadata:
  version: 1
"""
CHOICE = """
output_type: multiple_choice
doc_to_choice: "{{choices}}"
doc_to_target: label
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""
WORDS = """
output_type: generate_until
doc_to_target: "{{answer}}"
generation_kwargs:
  until: ["\\n"]
  max_gen_toks: 3
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
filter_list:
  - name: first
    filter:
      - function: take_first
  - name: second
    filter:
      - function: take_first
"""
LIKELIHOOD = """
output_type: loglikelihood_rolling
doc_to_target: "{{question}}"
metric_list:
  - metric: word_perplexity
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    questions = [
        {
            "question": f"x = [{a}]\nfor i in range(3):\n    x.append(i)\n    return self",
            "choices": [".", "#~"],
            "label": 0,
            "answer": ".",
        }
        for a in range(6)
    ]
    data = folder / "questions.json"
    data.write_text("\n".join(map(json.dumps, questions)))
    for name, kind in (("choice", CHOICE), ("words", WORDS), ("text", LIKELIHOOD)):
        (folder / f"{name}.yaml").write_text(TASK.format(name=name, data=data) + kind)
    missing = TASK.format(name="missing", data=folder / "nothing.json") + CHOICE
    (folder / "missing.yaml").write_text(missing)
    (folder / "online.yaml").write_text("task: online\ndataset_path: no/such-data\ntest_split: test\n" + CHOICE)
    return str(folder)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gsm")
    rows = [{"question": f"What is {a} plus {a}?", "answer": f"It is {2 * a}. #### {2 * a}"} for a in range(60)]
    for split, part in (("train", rows[10:]), ("test", rows[:10])):
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, part)))
    return str(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A Llama of random weights with the shipped model's tokenizer."""
    folder = tmp_path_factory.mktemp("tiny")
    shape = {"vocab_size": 2048, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=2)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(MODEL).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def shipped():
    model, tokenizer, _ = hub.load(MODEL)
    return model, tokenizer


def test_answers_are_named_by_question_and_a_converted_model_is_what_answers(shipped, tasks, monkeypatch):
    model, tokenizer = shipped
    products = []
    monkeypatch.setattr(attention, "matmul", lambda a, b, **settings: products.append(a.shape) or a @ b)
    exact = harness.answer(model, tokenizer, "choice", folder=tasks)
    assert not products
    assert exact.question == tuple(f"choice/{number}" for number in range(6))
    assert exact.metric == "acc"
    assert exact.accuracy == 1.0  # "self.", not "self#~"
    with simulate(model, LMulConfig()):
        ours = harness.answer(model, tokenizer, "choice", folder=tasks, limit=3)
    assert ours.question == exact.question[:3]
    assert products


def test_of_several_readings_the_first_counts_and_generated_answers_are_matched(shipped, tasks):
    found = harness.answer(*shipped, "words", folder=tasks, limit=4)
    assert found.metric == "exact_match"
    assert len(found.correct) == 4
    assert set(found.correct) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("choise", "there is no task 'choise' in "),
        ("missing", "the questions of task 'missing' cannot be had: "),
        ("online", r"the questions of task 'online' cannot be had: .* on the Hub"),
        ("text", "task 'text' is judged by word_perplexity, not by accuracy"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(shipped, tasks, task, message):
    with pytest.raises(UserError, match=message) as raised:
        harness.answer(*shipped, task, folder=tasks, limit=2)
    assert "\n" not in str(raised.value)


def test_without_the_harness_the_extra_is_named(shipped, monkeypatch):
    for absent in ("lm_eval", "datasets"):
        monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(MissingExtra, match=r"needs lm_eval: pip install 'paperworks\[lm-eval\]'"):
        harness.answer(*shipped, "piqa")
    with pytest.raises(MissingExtra, match=r"needs datasets: pip install 'paperworks\[lm-eval\]'"):
        hub_claims._questions("openai/gsm8k")


def test_the_paper_preset_with_local_stand_ins(tmp_path, monkeypatch, tasks, dataset, tiny):
    monkeypatch.setattr(digits, "HELD_OUT", 10)
    monkeypatch.setattr(hub_claims, "_held_out", lambda: [f"def f{n}(x):\n    return x + {n}\n" for n in range(6)])
    preset = experiment.PRESETS["paper"]
    sizes = replace(
        preset,
        training_steps=2,
        grid=16,
        pairs=100,
        tokens_per_file=6,
        tuning_steps=2,
        contenders=("float32", "carry4"),
        hub=replace(
            preset.hub,
            models=(MODEL,),
            tasks=("choice",),
            more_tasks=("words",),
            include=tasks,
            limit=5,
            tuned=tiny,
            dataset=dataset,
            context=32,
        ),
    )
    lab = Lab("lmul", preset="paper", device="cpu", seeds=3, home=tmp_path / "home", cache=tmp_path / "cache")
    found = {result.claim: result for result in experiment.run(lab, sizes)}
    assert found["C4"].n == 5
    assert found["C4"].scale == found["C5b"].scale == found["C6"].scale == "same"
    assert [(row["task"], row["judged by"]) for row in found["C4"].rows] == [
        ("choice", "acc"),
        ("words", "exact_match"),
    ]
    assert found["C4"].baseline == pytest.approx(100 * 1.0)
    assert found["C6"].n == 3
    assert all(np.isfinite(row["loss, nats"]) for row in found["C5b"].rows)


def test_command_tasks(capsys, tmp_path, monkeypatch, tasks):
    monkeypatch.setenv("PAPERWORKS_HOME", str(tmp_path))
    command = ["lmul", "tasks", "--model", MODEL, "--task", "choice", "--folder", tasks, "--arithmetic", "carry4"]
    assert main([*command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["contender"], row["questions"], row["accuracy"]) for row in rows] == [
        ("float32", 6, 100.0),
        ("carry4", 6, 100.0),
    ]
    assert rows[0]["change"] == rows[0]["low"] == 0
    monkeypatch.setattr(harness, "answer", None)  # what was answered is not asked again
    assert main(command) == 0
    assert "L-Mul, adder, k = 4" in capsys.readouterr().out
    assert main([*command, "--arithmetic", "carry5"]) == 2
    assert "there is no arithmetic carry5; choose from float32" in capsys.readouterr().err


def test_hub_ids_that_cannot_be_had_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match="'no/such-model' is neither a folder nor a hub id of a causal language model"):
        hub.load("no/such-model")
    with pytest.raises(UserError, match="the data set 'no/such-data' cannot be had: "):
        hub_claims._questions("no/such-data")
