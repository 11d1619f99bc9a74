"""Small language models of Python source: what papers about language models are tried out on without a download.

Three sizes stand in `RECIPES`. ``tiny_lm`` (2.8 M parameters, 256 tokens of context) comes with the package and is
loaded at once. ``quick`` (0.9 M) is trained on first use, in half a minute on one core, as often as an experiment has
seeds: to compare methods within it, not for its own sake, since it stays behind a 5-gram. ``large`` (126 M, 1024 tokens
of context) is for a GPU; the corpus has a million and a half of its tokens, and it sees each a few times.

>>> from paperworks.lab import Lab, tiny_lm
>>> lm = tiny_lm.trained(Lab("lmul"))
>>> score = tiny_lm.evaluate(lm.model, lm.stream("validation")[:500], lm.sizes)
>>> score.bits_per_byte < 1.6
True

They are ordinary Hugging Face models: the Llama architecture with grouped heads and tied embeddings, built by
transformers' own `LlamaForCausalLM`, in a folder that ``AutoModelForCausalLM.from_pretrained`` and
``AutoTokenizer.from_pretrained`` open. Text becomes tokens by byte-level BPE trained on the train split, so every text
can be encoded and comes back as it was. The vocabulary of ``tiny_lm`` is 2048: with tied embeddings that is a seventh
of the parameters, and a token is 3.2 bytes; 4096 would give 3.6 bytes for twice the embedding, out of the 6 MB that
weights may take.

On the 22 files of validation (0.43 MB) ``tiny_lm`` has 1.22 bits per byte, an interpolated Kneser-Ney 5-gram over the
same tokens 1.74 (`paperworks.lab.ngram`); the log of its training is in ``recipe.json`` beside the weights.

Loss is told in bits per byte, which does not depend on the tokens: the negative log likelihood of all tokens in bits,
over the bytes of text they stand for. A model is judged on `TinyLM.stream`, whose split follows the files it was
trained on; see `paperworks.lab.corpus` for why that matters under another version of Python.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import SPLITS, Corpus, Split, standard_library
from .disk import sha256_of, write_atomically
from .weights import recorded

if TYPE_CHECKING:
    from .lab import Lab

Tokens = np.ndarray[tuple[int], np.dtype[np.int32]]
Progress = Callable[[str, int, int], None]

SEPARATOR = "<|file|>"
SEPARATOR_ID = 0
PIECES = r"\r?\n[ \t]*| ?[\p{L}_]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}_]+|[ \t]+|\s"
"""What no token reaches across: a line end with the indentation after it, a name, three digits, a run of signs."""

SHIPPED = Path(__file__).parent / "weights" / "tiny_lm"
RECORD = "recipe.json"
_VERSION = 1
"""Goes up when the training code changes what a recipe gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that a model and its training depend on, besides the corpus.

    ``tokens`` are seen in training in all, ``batch`` sequences of ``context`` tokens a step. ``learning_rate`` rises
    linearly over the share ``warmup`` of the steps and falls to 0 along a cosine. ``optimizer`` "muon" moves the
    matrices of the layers by Muon at AdamW's step size (Jordan et al. 2024; Liu et al. 2025, arXiv:2502.16982) and
    everything else by AdamW. ``precision`` "bfloat16" is autocast: faster where the CPU multiplies in bfloat16, slower
    where it does not.
    """

    vocabulary: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    context: int
    tokens: int
    batch: int
    learning_rate: float
    warmup: float = 0.05
    weight_decay: float = 0.1
    optimizer: str = "muon"
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.optimizer not in ("muon", "adamw") or self.precision not in ("float32", "bfloat16"):
            raise ValueError(
                "optimizer is 'muon' or 'adamw' and precision 'float32' or 'bfloat16'; "
                f"not {self.optimizer!r} and {self.precision!r}"
            )
        if self.hidden % self.heads or self.heads % self.kv_heads:
            raise ValueError(
                f"hidden={self.hidden} must be a multiple of heads={self.heads}, and that of kv_heads={self.kv_heads}"
            )
        if self.steps < 1:
            raise ValueError(f"tokens={self.tokens} is less than one step of {self.batch} x {self.context} tokens")

    @property
    def steps(self) -> int:
        """The steps of training: as many whole batches as ``tokens`` allow."""
        return self.tokens // (self.batch * self.context)

    def config(self) -> LlamaConfig:
        """The architecture as transformers' own configuration."""
        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.intermediate,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=self.context,
            rms_norm_eps=1e-5,
            tie_word_embeddings=True,
            bos_token_id=SEPARATOR_ID,
            eos_token_id=SEPARATOR_ID,
            pad_token_id=SEPARATOR_ID,
        )


RECIPES: Mapping[str, Recipe] = {
    "tiny_lm": Recipe(
        vocabulary=2048,
        hidden=192,
        intermediate=512,
        layers=6,
        heads=6,
        kv_heads=2,
        context=256,
        tokens=12_000_000,
        batch=8,
        learning_rate=4e-3,
        precision="bfloat16",
    ),
    "quick": Recipe(
        vocabulary=1024,
        hidden=128,
        intermediate=352,
        layers=4,
        heads=4,
        kv_heads=2,
        context=128,
        tokens=300_000,
        batch=8,
        learning_rate=8e-3,
    ),
    "large": Recipe(
        vocabulary=16_384,
        hidden=768,
        intermediate=2048,
        layers=18,
        heads=12,
        kv_heads=4,
        context=1024,
        tokens=9_000_000,
        batch=16,
        learning_rate=1e-3,
        warmup=0.1,
        precision="bfloat16",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The loss of a model on a stream, token by token, in the order of the stream; separators are not counted.

    targets, nats, correct, sizes: [N]. ``nats`` is the negative log likelihood of each target, ``sizes`` its bytes of
    text. Two scores over the same stream are paired: ``a.nats - b.nats`` are differences on the same tokens.
    """

    targets: Tokens
    nats: np.ndarray[tuple[int], np.dtype[np.float64]]
    correct: np.ndarray[tuple[int], np.dtype[np.bool_]]
    sizes: Tokens

    @property
    def bits_per_byte(self) -> float:
        """All nats in bits, over the bytes of all targets."""
        return float(self.nats.sum() / math.log(2.0) / self.sizes.sum())

    @property
    def nats_per_token(self) -> float:
        """The mean loss; its exponential is the perplexity."""
        return float(self.nats.mean())

    @property
    def accuracy(self) -> float:
        """The share of tokens that were the likeliest one."""
        return float(self.correct.mean())


@dataclass(frozen=True, kw_only=True)
class TinyLM:
    """A trained model with what it was made from; the corpus is split as it was in training."""

    model: LlamaForCausalLM
    tokenizer: Tokenizer
    recipe: Recipe
    corpus: Corpus
    folder: Path

    @cached_property
    def sizes(self) -> Tokens:
        """[V]: the bytes of text that each token stands for."""
        return token_sizes(self.tokenizer)

    def stream(self, split: Split) -> Tokens:
        """[N]: the files of a split as tokens, a separator before each."""
        return token_stream(self.tokenizer, self.corpus.texts(split))


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Byte-level BPE of that many tokens, the separator and the 256 bytes included."""
    if vocabulary < 257:
        raise ValueError(
            f"a byte-level vocabulary has at least 257 tokens (256 bytes and the separator), not {vocabulary}"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.encode_special_tokens = True
    return tokenizer


def load_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a ``tokenizer.json``; a text that spells out the separator is text to it, like any other."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


def token_stream(tokenizer: Tokenizer, texts: Iterable[str]) -> Tokens:
    """[N]: the texts as one stream of tokens, a separator before each text."""
    encoded = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    parts = [np.array([SEPARATOR_ID, *one.ids], dtype=np.int32) for one in encoded]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)


def token_sizes(tokenizer: Tokenizer) -> Tokens:
    """[V]: the bytes of text that each token stands for; 0 for the separator."""
    vocabulary = tokenizer.get_vocab()
    sizes = np.zeros(len(vocabulary), dtype=np.int32)
    for token, index in vocabulary.items():
        sizes[index] = 0 if index == SEPARATOR_ID else len(token)  # byte-level BPE spells each byte as one character
    return sizes


def evaluate(
    model: torch.nn.Module,
    stream: Tokens,
    sizes: Tokens,
    *,
    context: int | None = None,
    stride: int | None = None,
    batch: int = 16,
    progress: Progress | None = None,
) -> Score:
    """The loss of any causal language model of transformers on each token of a stream but the first.

    Windows of ``context`` tokens (default: as many as the model has positions) start every ``stride`` tokens (default:
    half of that). The first window counts whole, each later one only where no earlier one reached, so that every token
    is counted once and, after the first window, with at least ``context - stride`` tokens before it. ``stride=context``
    is the fastest, with a slightly higher loss. The model is left in the mode (training or not) it was in.

    Raises ValueError for a stream of fewer than two tokens or a stride outside 1 .. context.
    """
    config: Any = model.config
    context = min(context or config.max_position_embeddings, len(stream) - 1)
    stride = stride or max(1, context // 2)
    if len(stream) < 2:
        raise ValueError(f"a stream of {len(stream)} tokens has nothing to predict: give at least two")
    if not 1 <= stride <= context:
        raise ValueError(f"stride={stride} must lie in 1 .. {context}, the length of a window")
    starts = [*range(0, len(stream) - 1 - context, stride), len(stream) - 1 - context]
    nats = np.empty(len(stream) - 1, dtype=np.float64)
    correct = np.empty(len(stream) - 1, dtype=np.bool_)
    data = torch.from_numpy(stream.astype(np.int64))
    was_training = model.training
    model.eval()
    done = 0
    try:
        for first in range(0, len(starts), batch):
            chunk = starts[first : first + batch]
            losses, hits = _windows(model, torch.stack([data[s : s + context + 1] for s in chunk]))
            for start, loss, hit in zip(chunk, losses, hits, strict=True):
                new = done - start
                nats[done : start + context], correct[done : start + context] = loss[new:], hit[new:]
                done = start + context
            if progress:
                progress("evaluate", min(first + batch, len(starts)), len(starts))
    finally:
        model.train(was_training)
    return score(stream, sizes, nats, correct)


def score(stream: Tokens, sizes: Tokens, nats: np.ndarray[Any, Any], correct: np.ndarray[Any, Any]) -> Score:
    """The `Score` of losses [N - 1] on the tokens after the first of a stream [N], separators taken out."""
    targets = stream[1:]
    kept = sizes[targets] > 0
    return Score(targets=targets[kept], nats=nats[kept], correct=correct[kept], sizes=sizes[targets[kept]])


@torch.inference_mode()
def _windows(model: torch.nn.Module, tokens: torch.Tensor) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Loss and hit of each token but the first of each row: [B, T + 1] -> [B, T] twice."""
    tokens = tokens.to(next(model.parameters()).device)
    logits = model(input_ids=tokens[:, :-1], use_cache=False).logits.float()
    targets = tokens[:, 1:]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    return losses.double().cpu().numpy(), (logits.argmax(-1) == targets).cpu().numpy()


def trained(lab: Lab, recipe: Recipe | str = "tiny_lm", *, seed: int = 0) -> TinyLM:
    """A trained model: the shipped one at once; any other is trained on first use and kept in the lab's cache.

    ``recipe`` is a name out of `RECIPES`, or a `Recipe`; with a name, ``seed`` picks one of several trainings. The
    shipped model is ``tiny_lm`` with seed 0. A training that is cut off goes on where it was when it is asked for
    again in the same run.

    Raises KeyError for an unknown name, UserError where Python ships no sources, and ValueError where the shipped
    files are damaged.
    """
    if recipe == "tiny_lm" and seed == 0 and SHIPPED.is_dir():
        return load(SHIPPED)
    if isinstance(recipe, str):
        recipe = replace(RECIPES[recipe], seed=seed)
    library = standard_library()
    key = {"recipe": asdict(recipe), "corpus": library.digest, "version": _VERSION}
    return load(lab.cached("tiny-lm", key, lambda folder: _train(lab, recipe, library, folder)))


def tokenizer_of(lab: Lab, library: Corpus, vocabulary: int) -> Tokenizer:
    """The tokenizer of a corpus, trained on first use and kept in the lab's cache."""

    def make(folder: Path) -> None:
        train_tokenizer(library.texts("train"), vocabulary).save(str(folder / "tokenizer.json"))

    key = {"pieces": PIECES, "vocabulary": vocabulary, "corpus": library.digest}
    return load_tokenizer(lab.cached("tokenizer", key, make) / "tokenizer.json")


def _train(lab: Lab, recipe: Recipe, library: Corpus, folder: Path) -> None:
    from .train_tiny_lm import Training

    tokenizer = tokenizer_of(lab, library, recipe.vocabulary)
    stream = token_stream(tokenizer, library.texts("train"))

    def train(recipe: dict[str, Any], corpus: str) -> dict[str, Any]:
        """The weights by name, and the log."""
        training = Training(Recipe(**recipe), stream, lab.scratch("training"), device=lab.device)
        remaining = training.recipe.steps - training.done
        for _ in lab.progress(training.run(), "train a small language model", remaining):
            pass
        weights = {name: tensor.cpu().numpy() for name, tensor in training.model.state_dict().items()}
        return {"weights": weights, "log": training.log}

    result = lab.step("train-tiny-lm", train, recipe=asdict(recipe), corpus=library.digest)
    model = LlamaForCausalLM(recipe.config())
    model.load_state_dict({name: torch.from_numpy(array) for name, array in result["weights"].items()})
    save(folder, model=model, tokenizer=tokenizer, recipe=recipe, library=library, notes={"log": result["log"]})


def save(
    folder: Path,
    *,
    model: LlamaForCausalLM,
    tokenizer: Tokenizer,
    recipe: Recipe,
    library: Corpus,
    notes: Mapping[str, Any],
) -> None:
    """Write a Hugging Face folder, weights in half precision, and the record of what it was made from.

    ``notes`` (the log of the training, results) go into the record as they are. The model is rounded to half
    precision in place.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.nn.Module.half(model)
    with without_bars():
        model.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)  # safetensors writes for the owner alone; a package is for everyone
    tokenizer_class: Any = PreTrainedTokenizerFast
    tokenizer_class(
        tokenizer_object=tokenizer,
        bos_token=SEPARATOR,
        eos_token=SEPARATOR,
        pad_token=SEPARATOR,
        model_max_length=recipe.context,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
    record = {
        "recipe": asdict(recipe),
        "parameters": sum(p.numel() for p in model.parameters()),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "corpus": {**library.sizes(), "digest": library.digest},
        "splits": {split: [file.path for file in library.split(split)] for split in SPLITS},
        "sha256": {file.name: sha256_of(file) for file in sorted(folder.iterdir()) if file.name != RECORD},
        **notes,
    }
    write_atomically(folder / RECORD, (json.dumps(record, indent=1) + "\n").encode())


def load(folder: Path) -> TinyLM:
    """The model in a folder that `save` wrote, in float32 on the CPU, ready for evaluation.

    Its corpus is the running interpreter's library, split by the paths the model was trained on. Raises
    FileNotFoundError where the folder has no record, ValueError where a file is not the one in the record.
    """
    record = recorded(folder, RECORD)
    with without_bars():
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    model.train(False)
    splits = {path: split for split, paths in record["splits"].items() for path in paths}
    return TinyLM(
        model=model,
        tokenizer=load_tokenizer(folder / "tokenizer.json"),
        recipe=Recipe(**record["recipe"]),
        corpus=standard_library().as_in(splits),
        folder=folder,
    )


@contextmanager
def without_bars() -> Iterator[None]:
    """transformers draws a bar for every file it reads or writes; a file of 5 MB needs none."""
    bars: Any = transformers.utils.logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()
