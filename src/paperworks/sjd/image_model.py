"""The small image model that comes with the package: names of pictures in, codes of pictures out.

A picture is 16 x 16 codes in lines from the top, each one of 512, and a prompt is one token, the picture's name. The
model is a Llama of transformers' own and so an ordinary folder for it, with what paints codes (``codec.safetensors``)
and the record of its making (``recipe.json``) beside it; `paperworks.sjd.train_image_model` made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor
from transformers import LlamaForCausalLM

from paperworks.lab.tiny_lm import without_bars
from paperworks.lab.weights import recorded

from .codec import PictureCodec
from .grid import GridSpec

__all__ = ["CODEC", "PATTERNS", "RECORD", "SHIPPED", "ImageModel", "load", "settle"]

SHIPPED = Path(__file__).parent / "weights" / "image_model"
CODEC, RECORD = "codec.safetensors", "recipe.json"
PATTERNS = "patterns"
"""The prompt for what is no real picture: one colour, stripes, or a colour that fades into another."""


@dataclass(frozen=True, kw_only=True)
class ImageModel:
    """``model`` draws codes, ``codec`` paints them on a ``grid``; ``prompts`` are the names that it knows."""

    model: LlamaForCausalLM
    codec: PictureCodec
    grid: GridSpec
    prompts: tuple[str, ...]

    @property
    def real(self) -> tuple[str, ...]:
        """The prompts for real pictures."""
        return tuple(name for name in self.prompts if name != PATTERNS)

    @property
    def codes(self) -> int:
        """How many codes there are; they are the first ids, and prompts the ones behind them."""
        return len(self.codec.codebook)

    def ids(self, prompts: Sequence[str]) -> Tensor:
        """The prompts as ids [B, 1]. Raises ValueError for a name that is none of ``self.prompts``."""
        for name in prompts:
            if name not in self.prompts:
                raise ValueError(f"the model draws {', '.join(self.prompts)}; not {name!r}")
        return torch.tensor([[self.codes + self.prompts.index(name)] for name in prompts])

    @torch.inference_mode()
    def paint(self, codes: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pictures [B, 64, 64, 3] of ``codes`` [B, 256]."""
        painted = self.codec.decode(torch.from_numpy(codes).view(len(codes), self.grid.height, self.grid.width))
        return (painted * 255).round().to(torch.uint8).movedim(1, -1).numpy()


def settle(model: LlamaForCausalLM, codes: int, tokens: int) -> None:
    """Make ``generate`` of a model draw whole pictures without being told: codes only, by the full law."""
    generation: Any = model.generation_config
    generation.max_new_tokens, generation.do_sample, generation.top_k = tokens, True, 0
    generation.suppress_tokens = list(range(codes, model.config.vocab_size))


def load(folder: Path = SHIPPED) -> ImageModel:
    """The model in ``folder``, in float32 on the CPU.

    Raises FileNotFoundError where the folder has no record, ValueError where a file is not the one in the record.
    """
    record = recorded(folder, RECORD)
    with without_bars():
        model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    codec = PictureCodec(**record["codec"]["shape"])
    codec.load_state_dict({name: tensor.float() for name, tensor in load_file(folder / CODEC).items()})
    height, width = record["grid"]
    return ImageModel(
        model=model.eval(),  # type: ignore[no-untyped-call]
        codec=codec.eval(),
        grid=GridSpec(height=height, width=width),
        prompts=tuple(record["prompts"]),
    )
