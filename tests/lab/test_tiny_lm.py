"""The small language model: tokenizer, evaluation, training that resumes, and the folder it is kept in."""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, LlamaForCausalLM

from paperworks.lab import Lab, corpus, tiny_lm, train_tiny_lm
from paperworks.lab.tiny_lm import Recipe

SMALL = Recipe(
    vocabulary=300,
    hidden=16,
    intermediate=24,
    layers=2,
    heads=4,
    kv_heads=2,
    context=12,
    tokens=12 * 2 * 9,
    batch=2,
    learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> corpus.Corpus:
    root = tmp_path_factory.mktemp("library")
    (root / "json").mkdir()
    for i in range(80):
        (root / "json" / f"part{i}.py").write_text(f"def value_{i}(self):\n    return {i * i}  # é\n", encoding="utf-8")
    return corpus.standard_library(root)


@pytest.fixture(scope="module")
def tokenizer(library: corpus.Corpus) -> Tokenizer:
    return tiny_lm.train_tokenizer(library.texts("train"), 300)


@pytest.fixture(scope="module")
def stream(library: corpus.Corpus, tokenizer: Tokenizer) -> tiny_lm.Tokens:
    return tiny_lm.token_stream(tokenizer, library.texts("train"))


@pytest.fixture
def lab(library: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(tiny_lm, "standard_library", lambda: library)
    return Lab("lmul", home=tmp_path / "home", cache=tmp_path / "cache", emit=lambda event: None)


def test_training_the_tokenizer_twice_gives_the_same(library: corpus.Corpus, tokenizer: Tokenizer) -> None:
    again = tiny_lm.train_tokenizer(library.texts("train"), 300)
    assert again.to_str() == tokenizer.to_str()
    assert tokenizer.get_vocab_size() == 300
    assert tokenizer.token_to_id(tiny_lm.SEPARATOR) == tiny_lm.SEPARATOR_ID


@settings(max_examples=150)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_comes_back_and_its_bytes_are_counted(tokenizer: Tokenizer, text: str) -> None:
    for written in (text, f"  {text}\r\n\t x\n\n", f"{text}<|file|>{text}"):
        tokens = tiny_lm.token_stream(tokenizer, [written])
        assert tokens[0] == tiny_lm.SEPARATOR_ID
        assert tiny_lm.SEPARATOR_ID not in tokens[1:]
        assert tokenizer.decode(tokens[1:].tolist(), skip_special_tokens=False) == written
        assert tiny_lm.token_sizes(tokenizer)[tokens].sum() == len(written.encode())


def test_indentation_is_one_token_and_names_are_not_glued_to_signs() -> None:
    texts = ["class A:\n    def f(self):\n        return self.x == 10\n"] * 50
    tokenizer = tiny_lm.train_tokenizer(texts, 300)
    pieces = tokenizer.encode("\n        return self.x == 10").tokens
    assert pieces == ["ĊĠĠĠĠĠĠĠĠ", "return", "Ġself", ".", "x", "Ġ==", "Ġ", "10"]


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 257 tokens"):
        tiny_lm.train_tokenizer(["x"], 256)


def test_bits_per_byte_by_hand() -> None:
    stream = np.array([0, 5, 6, 0, 7], dtype=np.int32)
    sizes = np.array([0, 1, 1, 1, 1, 2, 1, 5], dtype=np.int32)
    score = tiny_lm.score(stream, sizes, np.array([1.0, 2.0, 9.0, 3.0]), np.array([True, False, True, False]))
    assert score.targets.tolist() == [5, 6, 7]  # the separator in the middle is not counted
    assert score.bits_per_byte == pytest.approx((1 + 2 + 3) / math.log(2) / (2 + 1 + 5))
    assert score.nats_per_token == pytest.approx(2.0)
    assert score.accuracy == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("length", "context", "stride"), [(40, 12, 5), (41, 12, 12), (13, 12, 6), (7, 12, 4), (30, 8, 1)]
)
def test_each_token_is_scored_once_with_the_context_that_is_promised(length: int, context: int, stride: int) -> None:
    model = train_tiny_lm.untrained(SMALL).eval()
    rng = np.random.default_rng(length)
    stream = rng.integers(1, 300, length).astype(np.int32)
    sizes = np.ones(300, dtype=np.int32)
    context = min(context, length - 1)
    stride = min(stride, context)
    score = tiny_lm.evaluate(model, stream, sizes, context=context, stride=stride, batch=3)
    assert score.targets.tolist() == stream[1:].tolist()
    starts = [*range(0, length - 1 - context, stride), length - 1 - context]
    for target in range(1, length):
        start = next(s for s in starts if s + context >= target)  # the first window that reaches it
        with torch.no_grad():
            logits = model(torch.tensor(stream[None, start:target].astype(np.int64))).logits[0, -1]
        assert score.nats[target - 1] == pytest.approx(-logits.log_softmax(-1)[stream[target]].item(), abs=1e-4)
        assert score.correct[target - 1] == (logits.argmax() == stream[target])


def test_evaluation_takes_any_causal_model_and_leaves_its_mode() -> None:
    config = GPT2Config(vocab_size=50, n_embd=8, n_layer=1, n_head=2, n_positions=16, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config).train()
    heard: list[tuple[str, int, int]] = []
    sizes = np.ones(50, dtype=np.int32)
    stream = np.arange(50, dtype=np.int32)
    scores = [tiny_lm.evaluate(model, stream, sizes, progress=lambda *event: heard.append(event)) for _ in range(2)]
    assert model.training
    assert (scores[0].nats == scores[1].nats).all()  # no dropout
    assert heard[-1] == ("evaluate", 6, 6)


def test_streams_without_anything_to_predict_and_wrong_strides_are_refused() -> None:
    model, sizes = train_tiny_lm.untrained(SMALL), np.ones(300, dtype=np.int32)
    with pytest.raises(ValueError, match="nothing to predict"):
        tiny_lm.evaluate(model, np.array([0], dtype=np.int32), sizes)
    with pytest.raises(ValueError, match=r"stride=13 must lie in 1 \.\. 12"):
        tiny_lm.evaluate(model, np.zeros(50, dtype=np.int32), sizes, stride=13)


def weights_of(training: train_tiny_lm.Training) -> Iterator[np.ndarray]:
    return (parameter.detach().numpy() for parameter in training.model.parameters())


def trained_to(recipe: Recipe, stream: tiny_lm.Tokens, folder: Path, stop: int) -> train_tiny_lm.Training:
    training = train_tiny_lm.Training(recipe, stream, folder)
    for done in training.run():
        if done == stop:
            break
    return training


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_training_that_was_cut_off_ends_as_one_that_was_not(
    stream: tiny_lm.Tokens, tmp_path: Path, precision: str
) -> None:
    recipe = replace(SMALL, precision=precision, tokens=12 * 2 * 60)  # more than one note in the log, several epochs
    whole = trained_to(recipe, stream, tmp_path / "whole", 60)
    for stop in (1, 7, 53):
        assert trained_to(recipe, stream, tmp_path / "cut", stop).done == stop
    resumed = trained_to(recipe, stream, tmp_path / "cut", 60)
    assert all((a == b).all() for a, b in zip(weights_of(whole), weights_of(resumed), strict=True))
    assert resumed.log == whole.log
    assert [note["step"] for note in whole.log] == [50, 60]


def test_checkpoints_that_are_slow_to_write_are_written_seldom(
    stream: tiny_lm.Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps take one second, a checkpoint ten: then one follows at the earliest 200 seconds after the last."""
    clock, saved = [0.0], []
    monkeypatch.setattr(train_tiny_lm.time, "monotonic", lambda: clock[0])
    training = train_tiny_lm.Training(replace(SMALL, tokens=12 * 2 * 500), stream, tmp_path, every_s=20.0)

    def save() -> None:
        saved.append(training.done)
        training._saved = training.done
        clock[0] += 10.0

    monkeypatch.setattr(training, "save", save)
    monkeypatch.setattr(training, "_step", lambda: setattr(training, "done", training.done + 1))
    for _ in training.run():
        clock[0] += 1.0
    assert saved == [21, 222, 423, 500]


def test_an_interrupt_inside_a_step_keeps_the_steps_before(
    stream: tiny_lm.Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained_to(SMALL, stream, tmp_path / "whole", 9)
    training = train_tiny_lm.Training(SMALL, stream, tmp_path / "cut")
    backward = torch.autograd.backward

    def interrupted(loss: torch.Tensor) -> None:
        backward(loss)
        if training.done == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch.autograd, "backward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(training.run())
    monkeypatch.undo()
    resumed = train_tiny_lm.Training(SMALL, stream, tmp_path / "cut")
    assert resumed.done == 4
    assert list(resumed.run()) == [5, 6, 7, 8, 9]
    assert all((a == b).all() for a, b in zip(weights_of(whole), weights_of(resumed), strict=True))


def test_an_interrupt_inside_the_update_falls_back_to_the_last_checkpoint(
    stream: tiny_lm.Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = train_tiny_lm.Training(SMALL, stream, tmp_path)
    steps = training.run()
    assert [next(steps), next(steps)] == [1, 2]
    training.save()
    assert next(steps) == 3
    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert train_tiny_lm.Training(SMALL, stream, tmp_path).done == 2


def test_training_learns_and_leaves_the_global_random_state(stream: tiny_lm.Tokens, tmp_path: Path) -> None:
    recipe = replace(SMALL, tokens=12 * 2 * 150)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # noqa: NPY002
    training = trained_to(recipe, stream, tmp_path, 150)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002
    assert training.log[-1]["train_nats"] < 0.6 * math.log(300)


def test_a_checkpoint_of_another_recipe_is_refused(stream: tiny_lm.Tokens, tmp_path: Path) -> None:
    trained_to(SMALL, stream, tmp_path, 1)
    with pytest.raises(ValueError, match="another recipe or corpus"):
        train_tiny_lm.Training(replace(SMALL, seed=1), stream, tmp_path)
    with pytest.raises(ValueError, match="another recipe or corpus"):
        train_tiny_lm.Training(SMALL, stream[1:], tmp_path)


def test_batches_of_an_epoch_are_disjoint_windows_and_epochs_differ() -> None:
    stream = torch.arange(12 * 21 + 1)
    epochs = []
    for epoch in range(2):
        rows = [train_tiny_lm.batch(SMALL, stream, epoch * 10 + step) for step in range(10)]
        inputs = torch.cat([row[0] for row in rows])
        assert torch.equal(torch.cat([row[1] for row in rows]), inputs + 1)
        assert inputs.unique().numel() == inputs.numel() == 240
        epochs.append(inputs)
    assert not torch.equal(*epochs)


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    recipe = replace(SMALL, tokens=12 * 2 * 100, warmup=0.1)
    rates = [train_tiny_lm.learning_rate(recipe, step) for step in range(100)]
    assert rates[9] == rates[10] == max(rates) == recipe.learning_rate
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 1e-3 * recipe.learning_rate


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": 3}, "hidden=16 must be a multiple of heads=3"),
        ({"kv_heads": 3}, "and that of kv_heads=3"),
        ({"tokens": 5}, "less than one step of 2 x 12 tokens"),
        ({"optimizer": "sgd"}, "optimizer is 'muon' or 'adamw'"),
        ({"precision": "fp8"}, "precision 'float32' or 'bfloat16'"),
    ],
)
def test_wrong_recipes_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **wrong)


def test_a_stream_shorter_than_a_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too short for batches of 2 x 12"):
        train_tiny_lm.Training(SMALL, np.zeros(30, dtype=np.int32), tmp_path)


def test_first_use_trains_and_later_uses_load(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tiny_lm.trained(lab, SMALL)
    monkeypatch.setattr(train_tiny_lm, "Training", None)
    again = tiny_lm.trained(lab, SMALL)
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True))
    assert first.recipe == SMALL
    assert not first.model.training
    assert first.corpus == again.corpus
    record = json.loads((first.folder / tiny_lm.RECORD).read_text())
    assert record["parameters"] == sum(p.numel() for p in first.model.parameters())
    assert record["log"][-1]["step"] == SMALL.steps
    assert first.corpus.split("validation")
    assert set(record["splits"]["validation"]).isdisjoint(record["splits"]["train"])


def test_a_first_use_that_is_cut_off_goes_on_where_it_was(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(train_tiny_lm.Training):
        def _step(self) -> None:
            if self.done == 5:
                raise KeyboardInterrupt
            super()._step()

    began: list[int] = []

    class Watched(train_tiny_lm.Training):
        def run(self) -> Iterator[int]:
            began.append(self.done)
            return super().run()

    monkeypatch.setattr(train_tiny_lm, "Training", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        tiny_lm.trained(lab, SMALL)
    monkeypatch.setattr(train_tiny_lm, "Training", Watched)
    tiny_lm.trained(lab, SMALL)
    assert began == [5]


def test_seeds_give_different_models(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_lm, "RECIPES", {"small": SMALL})
    models = [tiny_lm.trained(lab, "small", seed=seed).model for seed in range(2)]
    assert not torch.equal(models[0].lm_head.weight, models[1].lm_head.weight)
    with pytest.raises(KeyError):
        tiny_lm.trained(lab, "large")


def test_the_folder_opens_with_transformers_own_classes(lab: Lab) -> None:
    lm = tiny_lm.trained(lab, SMALL)
    model = AutoModelForCausalLM.from_pretrained(lm.folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(lm.folder)
    assert isinstance(model, LlamaForCausalLM)
    assert model.config.num_key_value_heads == 2
    text = "\n        return é  # x\n"
    batch = tokenizer(text, return_tensors="pt")
    assert batch["input_ids"][0].tolist() == lm.tokenizer.encode(text).ids
    assert tokenizer.decode(batch["input_ids"][0]) == text
    assert torch.equal(model(input_ids=batch["input_ids"]).logits, lm.model(input_ids=batch["input_ids"]).logits)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_damaged_files_are_refused(lab: Lab, tmp_path: Path, name: str) -> None:
    shutil.copytree(tiny_lm.trained(lab, SMALL).folder, tmp_path / "copy")
    content = bytearray((tmp_path / "copy" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "copy" / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is damaged or absent"):
        tiny_lm.load(tmp_path / "copy")


def test_a_folder_without_a_readable_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"recipe.json is absent"):
        tiny_lm.load(tmp_path)
    (tmp_path / tiny_lm.RECORD).write_text("{}")
    with pytest.raises(ValueError, match="is damaged"):
        tiny_lm.load(tmp_path)


class Clueless:
    """In place of the 5-gram: every token is as likely as any other."""

    def __init__(self, stream: tiny_lm.Tokens, vocabulary: int) -> None:
        self.vocabulary = vocabulary

    def losses(self, stream: tiny_lm.Tokens) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(stream) - 1, math.log(self.vocabulary)), np.zeros(len(stream) - 1, dtype=np.bool_)


def test_the_script_ships_a_model_that_beats_the_baseline(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    library: corpus.Corpus,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tiny_lm, "RECIPES", {"tiny_lm": replace(SMALL, tokens=12 * 2 * 60)})
    monkeypatch.setattr(train_tiny_lm, "standard_library", lambda: library)
    monkeypatch.setattr(train_tiny_lm, "KneserNey", Clueless)
    out = tmp_path / "weights" / "tiny_lm"
    out.mkdir(parents=True)
    (out / "old.txt").touch()
    train_tiny_lm.main(["--work", str(tmp_path / "work"), "--out", str(out), "--threads", "1"])
    assert "'step': 60" in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["tiny_lm"]
    assert not (out / "old.txt").exists()
    record = json.loads((out / tiny_lm.RECORD).read_text())
    lm = tiny_lm.load(out)
    measured = tiny_lm.evaluate(lm.model, tiny_lm.token_stream(lm.tokenizer, library.texts("validation")), lm.sizes)
    assert record["results"]["model on validation"]["bits_per_byte"] == pytest.approx(measured.bits_per_byte, abs=1e-4)


def test_a_model_that_does_not_beat_the_5_gram_is_not_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: corpus.Corpus
) -> None:
    monkeypatch.setattr(tiny_lm, "RECIPES", {"tiny_lm": SMALL})
    monkeypatch.setattr(train_tiny_lm, "standard_library", lambda: library)
    with pytest.raises(RuntimeError, match="does not beat the 5-gram"):
        train_tiny_lm.main(["--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"), "--threads", "1"])
    assert not (tmp_path / "out").exists()


def test_the_shipped_model_is_the_one_of_the_recipe_and_beats_the_5_gram() -> None:
    lm = tiny_lm.trained(Lab("lmul"))
    record = json.loads((tiny_lm.SHIPPED / tiny_lm.RECORD).read_text())
    assert lm.folder == tiny_lm.SHIPPED
    assert lm.recipe == tiny_lm.RECIPES["tiny_lm"]
    assert (tiny_lm.SHIPPED / "model.safetensors").stat().st_size < 6_000_000
    for split in ("validation", "test"):
        model, grams = (record["results"][f"{who} on {split}"] for who in ("model", "5-gram"))
        assert model["bits_per_byte"] < 0.75 * grams["bits_per_byte"]
        assert model["accuracy"] > 1.4 * grams["accuracy"]
        assert model["tokens"] == grams["tokens"]


def test_the_shipped_model_does_on_this_interpreter_what_its_record_says() -> None:
    lm = tiny_lm.trained(Lab("lmul"))
    recorded = json.loads((tiny_lm.SHIPPED / tiny_lm.RECORD).read_text())["results"]["model on validation"]
    seen = {path for path, split in lm.corpus.splits().items() if split == "train"}
    held_out = [file.path for file in lm.corpus.split("validation")]
    assert len(held_out) >= 15  # of 22, some of which later versions drop
    assert seen.isdisjoint(held_out)
    stream = lm.stream("validation")
    parts = np.concatenate([stream[start : start + 257] for start in range(0, len(stream) - 257, len(stream) // 12)])
    score = tiny_lm.evaluate(lm.model, parts, lm.sizes)
    assert score.bits_per_byte == pytest.approx(recorded["bits_per_byte"], abs=0.3)
