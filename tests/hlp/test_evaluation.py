"""Evaluation, commands and adapters: an oracle is right, a cut run goes on, and what is printed is what was scored."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from paperworks.core import UserError
from paperworks.hlp import FIMEval, Hole, StdlibFIM, TruncateToTruthLines, scored, shipped
from paperworks.hlp import evaluation as module
from paperworks.hlp.cli import app
from paperworks.hlp.evaluation import Filled, text_metrics, text_scores
from paperworks.hlp.execution import Assertions
from paperworks.hlp.infill_lm import load
from paperworks.lab import Lab, cli


def hole(name, prefix, truth, suffix, **more):
    return Hole(name=name, kind="line", prefix=prefix, truth=truth, suffix=suffix, source=name, **more)


HOLES = [
    hole("a.py", "x = ", "1", "\n"),
    hole("b.py", "def f():\n", "    y = 2\n", "    return y\n"),
    hole("c.java", "int z = ", "3", ";", language="java"),
    hole("d.py", "assert 4 == ", "4", "\n", execution=Assertions()),
]


def filled(text, tokens=3, truth_tokens=1, stopped=True):
    return Filled(text=text, tokens=tokens, truth_tokens=truth_tokens, stopped=stopped)


def test_scores_hole_by_hole():
    written = [filled("1"), filled("    y = 3\n    return y\n"), filled("3"), filled("5", stopped=False)]
    scores = scored("t", HOLES, written, workers=1).scores
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert scores["exact_match"].tolist() == [1, 0, 1, 0]
    assert scores["suffix_repeat"].tolist() == [0, 1, 0, 0]
    assert scores["parse_ok"].tolist() == [1, 1, nan, 1]
    assert scores["ast_equal"].tolist() == [1, 0, nan, 0]
    assert scores["executes"].tolist() == [nan, nan, nan, 0]
    assert scores["stopped"].tolist() == [1, 1, 1, 0]
    assert scores["length_error"].tolist() == [2, 2, 2, 2]


def test_the_same_fillings_are_scored_with_rules_and_without():
    written = [filled("1\n2\n"), *map(filled, ["    y = 2\n    return y\n", "3", "4"])]
    without = scored("t", HOLES, written, workers=1)
    with_rule = scored("t", HOLES, written, [TruncateToTruthLines()], workers=1)
    assert without.scores["exact_match"].tolist() == [0, 0, 1, 1]
    assert with_rule.scores["exact_match"].tolist() == [1, 1, 1, 1]
    assert with_rule.fillings == without.fillings
    assert [record["text"] for record in with_rule.records()] == [one.text for one in written]


def test_a_summary_is_over_the_holes_that_have_a_metric_and_has_an_interval_from_five_files_on():
    summary = scored("t", HOLES, [filled(each.truth) for each in HOLES], workers=1).summary()
    assert summary["exact_match"] == {"value": 100, "low": None, "high": None, "n": 4}
    assert summary["executes"] == {"value": 100, "low": None, "high": None, "n": 1}
    assert summary["parse_ok"]["n"] == 3
    many = [hole(f"{number}.py", "x = ", str(number), "\n") for number in range(8)]
    texts = ["0", "1", "2", "3", "x", "x", "x", "x"]
    row = scored("t", many, list(map(filled, texts)), workers=1).summary()["exact_match"]
    assert row["value"] == 50
    assert 0 <= row["low"] < 50 < row["high"] <= 100


def test_a_run_that_was_cut_off_asks_the_model_for_the_rest_only(tmp_path, monkeypatch):
    asked = []

    def oracle(model, tokenizer, holes, **settings):
        if len(asked) == 2 and not any(isinstance(each, str) for each in asked):
            asked.append("cut")
            raise KeyboardInterrupt
        asked.append(list(holes))
        return [SimpleNamespace(text="1", tokens=1, stopped=True) for _ in holes]

    monkeypatch.setattr(module, "infill", oracle)
    _, tokenizer = shipped()
    task = SimpleNamespace(name="t", holes=lambda: [hole(str(i), f"x{i} = ", "1", "\n") for i in range(7)])

    def run():
        evaluation = FIMEval(lab=Lab("hlp", preset="eval", home=tmp_path), model_id="m", batch=2, workers=1)
        return evaluation.run(None, tokenizer, task)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert run().scores["exact_match"].tolist() == [1] * 7
    assert [len(each) for each in asked] == [2, 2, 3, 2, 1]  # "cut" has three letters
    with pytest.raises(UserError, match="has no holes"):
        FIMEval(lab=Lab("hlp", home=tmp_path), model_id="m").fill(None, tokenizer, "t", [])


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERWORKS_HOME", str(tmp_path / "home"))

    def run(*arguments):
        code = cli.run(app, [str(each) for each in arguments], name="paperworks hlp", tracebacks=tmp_path / "tb")
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return run


SOURCE = "import os\n\n\ndef names(folder):\n    found = os.listdir(folder)\n    found.sort()\n    return found\n"


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "names.py"
    file.write_text(SOURCE)
    return file


def test_infill_fills_a_line_and_says_what_its_head_said(call, source):
    done = call("infill", source, "--line", 5, "--json", "--max-tokens", 24)
    assert done.code == 0
    found = json.loads(done.out)
    assert found["in_place_of"] == "    found = os.listdir(folder)\n"
    assert found["tokens"] == len(found["horizon"]) == len(found["remaining"]) <= 24
    assert all(0 <= share <= 1 for share in found["horizon"])
    assert source.read_text() == SOURCE


def test_infill_writes_the_file_with_the_hole_filled(call, source):
    marked = SOURCE.replace("os.listdir(folder)", "<FILL>")
    source.write_bytes(marked.replace("\n", "\r\n").encode())
    done = call("infill", source, "--write", "--max-tokens", 8)
    assert done.code == 0
    before, _, after = marked.replace("\n", "\r\n").partition("<FILL>")
    written = source.read_bytes().decode()
    assert written.startswith(before)
    assert written.endswith(after)
    assert "<FILL>" not in written
    assert "    5     found =" in done.out
    assert "tokens, " in done.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--line", 99], "lines 99 to 99 are not in the file, which has 7 lines"),
        (["--line", 3, "--to", 2], "lines 3 to 2 are not in the file"),
        ([], "the mark '<FILL>' stands 0 times in the file, not once: give --line N"),
        (["--line", 5, "--max-tokens", 400], "leaves no room for a prompt"),
        (["--line", 5, "--model", "/nowhere"], "'/nowhere' is no folder and no hub id"),
    ],
)
def test_infill_refuses_in_one_sentence(options, said, call, source):
    done = call("infill", source, *options)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_eval_prints_a_table_and_writes_every_filling(call, tmp_path):
    options = (
        "eval",
        "--task",
        "call",
        "-n",
        4,
        "--max-tokens",
        8,
        "--rule",
        "truth-lines",
        "--out",
        tmp_path / "f.jsonl",
    )
    done = call(*options, "--json")
    assert done.code == 0
    with_and_without = json.loads(done.out)
    assert [each["rules"] for each in with_and_without] == [[], ["lines of the truth"]]
    assert with_and_without[0]["metrics"]["exact_match"]["n"] == 4
    lines = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [line["truth"] for line in lines[:4]] == [each.truth for each in StdlibFIM(kind="call", n=4).holes()]
    assert all(line["scores"]["executes"] is None for line in lines)
    table = call(*options)
    assert "stdlib-call" in table.out
    assert "edit similarity" in table.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--task", "poem"], "there is no task 'poem'; choose from line"),
        (["--rule", "none"], "there is no rule none; choose from truth-lines"),
        (["--task", "repoeval"], "download its archive"),
        (["--task", "line", "--max-tokens", 300], "leaves no room for a prompt"),
    ],
)
def test_eval_refuses_in_one_sentence(options, said, call):
    done = call("eval", *options)
    assert done.code == 2
    assert said in done.err


def test_a_model_is_known_by_its_weights_and_brings_its_head(tmp_path):
    model, tokenizer, version = load("shipped")
    model.hlp_head.save(tmp_path / "hlp_head.safetensors")
    head = model.hlp_head.weight.clone()
    del model.hlp_head
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, _, other = load(str(tmp_path))
    assert again.hlp_head.weight.tolist() == head.tolist()
    assert other != version
    (tmp_path / "hlp_head.safetensors").unlink()
    assert not hasattr(load(str(tmp_path))[0], "hlp_head")


def test_what_is_known_of_a_text_alone_is_scored():
    assert "executes" not in text_metrics(HOLES[:3])
    assert "executes" in text_metrics(HOLES)
    assert "parse_ok" not in text_metrics(HOLES[2:3])
    assert not {"stopped", "length_error"} & set(text_metrics(HOLES))
    assert text_scores(HOLES[3], "4")["executes"] == 1


def test_the_harness_asks_and_scores_every_hole():
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM

    from paperworks.hlp import lm_eval_task

    task = StdlibFIM(kind="call", n=5)
    truths = {each.prefix[-300:] + "<fim_suffix>" + each.suffix[:300]: each.truth for each in task.holes()}
    stops = []

    class Oracle(LM):
        """Right but for the first."""

        def generate_until(self, requests):
            stops.extend(request.args[1]["until"] for request in requests)
            prompts = [
                request.args[0].removeprefix("<fim_prefix>").removesuffix("<fim_middle>") for request in requests
            ]
            return ["wrong(", *(truths[prompt] for prompt in prompts[1:])]

        def loglikelihood(self, requests):
            raise NotImplementedError

        def loglikelihood_rolling(self, requests):
            raise NotImplementedError

    found = simple_evaluate(
        model=Oracle(),
        tasks=[lm_eval_task(task, "starcoder2", characters=300)],
        bootstrap_iters=0,
        random_seed=None,
        numpy_random_seed=None,
        torch_random_seed=None,
    )["results"]["stdlib-call"]
    assert found["exact_match,none"] == pytest.approx(4 / 5)
    assert found["parse_ok,none"] == pytest.approx(4 / 5)
    assert "executes,none" not in found
    assert all(each[0] == "<|endoftext|>" for each in stops)
    with pytest.raises(ValueError, match="no scheme that has the prefix first; choose from starcoder2"):
        lm_eval_task(task, "codestral")


def test_a_file_that_spells_a_sentinel_is_not_asked_through_the_harness():
    from paperworks.hlp import lm_eval_task

    spelled = hole("s.py", "x = '<fim_suffix>'\ny = ", "1", "\n")
    task = SimpleNamespace(name="t", holes=lambda: [spelled, HOLES[0]])
    assert [row["truth"] for row in lm_eval_task(task, "starcoder2").test_docs()] == ["1"]
    assert len(lm_eval_task(task, "qwen2.5-coder").test_docs()) == 2


@pytest.fixture
def inspect_names(monkeypatch):
    """The names that our task takes from Inspect, which is not installed, as its documentation has them."""

    def plain(**fields):
        return SimpleNamespace(**fields)

    def scorer(metrics):
        return lambda make: lambda *given: SimpleNamespace(metrics=metrics, score=make(*given))

    given = {
        "inspect_ai": {"Task": plain, "task": lambda function: function},
        "inspect_ai.dataset": {"Sample": plain, "MemoryDataset": lambda samples, name: samples},
        "inspect_ai.scorer": {
            "Score": plain,
            "Target": str,
            "mean": lambda: "mean",
            "stderr": lambda: "stderr",
            "scorer": scorer,
        },
        "inspect_ai.solver": {"TaskState": object, "generate": lambda: "generate", "system_message": lambda text: text},
    }
    for name, members in given.items():
        stand_in = ModuleType(name)
        stand_in.__dict__.update(members)
        monkeypatch.setitem(sys.modules, name, stand_in)
    yield
    sys.modules.pop("paperworks.hlp.inspect_task", None)


def test_inspect_shows_a_marked_hole_and_scores_what_is_in_the_fence(inspect_names):
    import asyncio

    from paperworks.hlp.inspect_task import stdlib_fim

    task = stdlib_fim(kind="call", n=3)
    holes = StdlibFIM(kind="call", n=3).holes()
    assert [sample.target for sample in task.dataset] == [each.truth for each in holes]
    assert "<FILL>" in task.dataset[0].input
    assert "<FILL>" in task.solver[0]
    assert task.scorer.metrics == {"*": ["mean", "stderr"]}

    def answered(completion, number):
        state = SimpleNamespace(output=SimpleNamespace(completion=completion), metadata=task.dataset[number].metadata)
        return asyncio.run(task.scorer.score(state, None))

    right = answered(f"Here it is:\n```python\n{holes[0].truth}\n```\n", 0)
    assert right.value["exact_match"] == right.value["parse_ok"] == 1
    assert right.answer == holes[0].truth
    assert answered(holes[1].truth, 1).value["exact_match"] == 1
    assert answered("f(", 2).value["exact_match"] == 0
