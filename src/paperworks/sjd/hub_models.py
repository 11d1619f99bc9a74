"""Published models that draw what words say, one picture at a time, and the captions that they are given."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from paperworks.core import MissingExtra, UserError

from .config import SJDConfig
from .drawing import Way
from .generation import speculative_jacobi
from .grid import GridSpec

__all__ = ["ANOLE", "COCO", "EMU3", "LUMINA", "PARTI", "Captions", "HubModel", "passes_and_seconds", "read_captions"]

_PREPARES = "sjd's preset 'paper'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """Where captions come from: a ``dataset`` of the hub, or a folder, and its ``column`` with one, or with several."""

    says: str
    dataset: str
    split: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HubModel:
    """A model of transformers for text and pictures, by its ``id`` on the hub or its folder, and how it draws.

    ``prompt`` has the place of a ``{caption}``, and ``begin`` is what stands between it and the picture of ``height``
    lines of ``width`` codes; ``line_end`` and ``image_end`` close lines and picture. These are ids, or words of the
    vocabulary. ``codes`` are the first and the last id of a code; None where the model's config says which they are.
    With a ``guidance`` above 1 it is guided away from ``negative``, which is followed by ``begin`` too.
    """

    says: str
    id: str
    prompt: str
    height: int
    width: int
    top_k: int
    begin: tuple[int | str, ...] = ()
    line_end: int | str | None = None
    image_end: tuple[int | str, ...] = ()
    codes: tuple[int, int] | None = None
    guidance: float = 1.0
    negative: str = ""


COCO = Captions(says="MS-COCO 2017 val", dataset="phiyodr/coco2017", split="validation", column="captions")
PARTI = Captions(says="PartiPrompts", dataset="nateraw/parti-prompts", split="train", column="Prompt")

LUMINA = HubModel(
    says="Lumina-mGPT 7B",
    id="Alpha-VLLM/Lumina-mGPT-7B-768",
    prompt="Generate an image of 768x768 according to the following prompt:\n{caption}",
    height=48,
    width=48,
    top_k=2000,
    begin=(8710, 8197, 8828, 8828),  # the turn's end, the picture's beginning, and 48 codes as height and as width
    line_end=8803,
    image_end=(8196,),
    codes=(4, 8195),
    guidance=3.0,
)
ANOLE = HubModel(
    says="Anole 7B",
    id="leloy/Anole-7b-v0.1-hf",
    prompt="{caption}",
    height=32,
    width=32,
    top_k=2000,
    begin=(8197,),
    codes=(4, 8195),
)
EMU3 = HubModel(
    says="Emu3 8B",
    id="BAAI/Emu3-Gen-hf",
    prompt="{caption}<|image start|>90*90<|image token|>",
    height=90,
    width=90,
    top_k=2048,
    line_end="<|extra_200|>",
    image_end=("<|extra_201|>", "<|image end|>", "<|extra_204|>"),
    guidance=3.0,
    negative="lowres, blurry, low quality<|image start|>90*90<|image token|>",
)


def read_captions(wanted: Captions, count: int) -> list[str]:
    """The first ``count`` captions. Raises MissingExtra without datasets, UserError where they cannot be had."""
    try:
        from datasets import load_dataset
    except ModuleNotFoundError as error:
        raise MissingExtra(_PREPARES, error.name or "datasets", "lm-eval") from error
    try:
        rows = islice(load_dataset(wanted.dataset, split=wanted.split, streaming=True), count)
        cells = [row[wanted.column] for row in rows]
    except (OSError, ValueError, KeyError) as error:
        raise _refusal(f"the captions of {wanted.says} ({wanted.dataset})", error) from error
    return [cell if isinstance(cell, str) else cell[0] for cell in cells]


def passes_and_seconds(*, seed: int, model: HubModel, captions: tuple[str, ...], way: Way, device: str) -> list[float]:
    """Passes and seconds of the picture of caption ``seed``; ``way`` has its own window and scheme, not its top-k.

    Raises UserError for a model that cannot be had.
    """
    studio = _studio(model, device)
    began = time.perf_counter()
    passes = studio.draw(captions[seed], seed, way)
    return [float(passes), time.perf_counter() - began]


@dataclass(frozen=True, slots=True)
class _Studio:
    """A loaded ``model`` with its ``tokenizer``, and what it is asked to draw."""

    wanted: HubModel
    model: Any
    tokenizer: Any
    grid: GridSpec
    codes: list[int]

    def draw(self, caption: str, seed: int, way: Way) -> int:
        """Draw a picture; the passes that it took."""
        ids = self._ids(self.wanted.prompt.format(caption=caption))
        guided = self.wanted.guidance > 1
        config = SJDConfig(
            window=way.window,
            init=way.init,
            coupling=way.coupling,
            verify=way.verify,
            grid=self.grid,
            image_vocab=torch.tensor(self.codes),
            guidance_scale=self.wanted.guidance if guided else None,
            negative_prompt_ids=self._ids(self.wanted.negative) if guided else None,
            seed=seed,
        )
        self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            custom_generate=speculative_jacobi,
            sjd_config=config,
            prefix_allowed_tokens_fn=self._allowed(ids.shape[1]),
            do_sample=True,
            top_k=self.wanted.top_k,
            max_new_tokens=self.grid.tokens,
            eos_token_id=None,
        )
        assert config.last_stats is not None
        return config.last_stats.nfe

    def _ids(self, text: str) -> Tensor:
        ids = [*self.tokenizer(text)["input_ids"], *(_id_of(self.tokenizer, token) for token in self.wanted.begin)]
        return torch.tensor([ids], device=self.model.device)

    def _allowed(self, prompt: int) -> Callable[[int, Tensor], list[int]]:
        """What may follow a prefix: a code, or what closes a line or the picture."""
        forced = self.grid.forced(torch.arange(self.grid.tokens)).tolist()

        def allowed(_: int, prefix: Tensor) -> list[int]:
            token = forced[min(len(prefix) - prompt, len(forced) - 1)]
            return self.codes if token < 0 else [token]

        return allowed


@lru_cache(maxsize=1)
def _studio(wanted: HubModel, device: str) -> _Studio:
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    try:
        model: Any = AutoModelForImageTextToText.from_pretrained(wanted.id, dtype=dtype)
        tokenizer: Any = AutoTokenizer.from_pretrained(wanted.id)
    except (OSError, ValueError) as error:
        raise _refusal(f"{wanted.says} ({wanted.id})", error) from error
    grid = GridSpec(
        height=wanted.height,
        width=wanted.width,
        line_end_id=None if wanted.line_end is None else _id_of(tokenizer, wanted.line_end),
        image_end_id=tuple(_id_of(tokenizer, token) for token in wanted.image_end) or None,
    )
    return _Studio(wanted, model.to(device).eval(), tokenizer, grid, _codes(wanted, model))


def _codes(wanted: HubModel, model: Any) -> list[int]:
    if wanted.codes is not None:
        first, last = wanted.codes
        return list(range(first, last + 1))
    return torch.as_tensor(model.model.vocabulary_mapping.image_tokens).tolist()


def _id_of(tokenizer: Any, token: int | str) -> int:
    return token if isinstance(token, int) else int(tokenizer.convert_tokens_to_ids(token))


def _refusal(what: str, error: Exception) -> UserError:
    return UserError(f"{what} cannot be had: {str(error).strip().partition(chr(10))[0]}")
