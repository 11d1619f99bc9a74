"""What differs between the classes of transformers: how tokens enter, where they stand, and which head answers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAlias

import torch
from torch import Tensor

__all__ = ["CAUSAL_LM", "CHAMELEON", "EMU3", "GLM_IMAGE", "JANUS", "Family", "family_of"]

Positions: TypeAlias = "tuple[Tensor | None, Callable[[Tensor], Tensor | None]]"
"""Position ids of the prompts, and what gives those of later tokens from how many tokens of its row precede each."""


def _text_vocabulary(model: Any) -> int:
    return int(model.config.get_text_config().vocab_size)


def _any_token(model: Any) -> Tensor | None:
    return None


@cache
def _takes(forward: Callable[..., Any], name: str) -> bool:
    """Whether the ``forward`` of a class of models has an argument of that name."""
    return name in inspect.signature(forward).parameters


def _ids(model: Any, tokens: Tensor) -> dict[str, Any]:
    return {"input_ids": tokens}


def _counted(model: Any, ids: Tensor, mask: Tensor, inputs: Mapping[str, Any]) -> Positions:
    """Every token by how many precede it in its row, padding left out."""
    if _takes(type(model).forward, "position_ids"):
        return (mask.cumsum(1) - 1).clamp_min(0), lambda precede: precede
    if len(mask) > 1:
        raise ValueError(f"{type(model).__name__} takes no position_ids, without which rows cannot differ in length")
    return None, lambda precede: None


def _own_logits(model: Any, inputs: dict[str, Any], kept: int) -> Tensor:
    if _takes(type(model).forward, "logits_to_keep"):
        inputs = inputs | {"logits_to_keep": kept}
    logits: Tensor = model(**inputs).logits
    return logits[:, -kept:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One way of generating: functions of the model, with defaults that suit any causal language model.

    ``prompt`` and ``window`` make a pass's first arguments of tokens [R, w]; ``positions`` (model, prompts [R, P],
    their mask, their other inputs) gives `Positions`; ``logits`` runs a pass and keeps its last ones [R, kept, V].
    ``takes`` names what ``generate`` may hand to the prompt's pass besides tokens.
    """

    vocabulary: Callable[[Any], int] = _text_vocabulary
    image_vocab: Callable[[Any], Tensor | None] = _any_token
    prompt: Callable[[Any, Tensor], dict[str, Any]] = _ids
    window: Callable[[Any, Tensor], dict[str, Any]] = _ids
    positions: Callable[[Any, Tensor, Tensor, Mapping[str, Any]], Positions] = _counted
    logits: Callable[[Any, dict[str, Any], int], Tensor] = _own_logits
    takes: frozenset[str] = frozenset()


def _mapped_image_tokens(model: Any) -> Tensor:
    """The image tokens of the vocabulary that Chameleon and Emu3 share between text and pictures."""
    return torch.tensor(model.model.vocabulary_mapping.image_tokens)


def _released_logits(model: Any, inputs: dict[str, Any], kept: int) -> Tensor:
    """Chameleon's logits before its ``forward`` forbids all image tokens, without which there is no picture."""
    hidden: Tensor = model.model(**inputs).last_hidden_state
    logits: Tensor = model.lm_head(hidden[:, -kept:])
    return logits


def _text_embeddings(model: Any, tokens: Tensor) -> dict[str, Any]:
    return {"inputs_embeds": model.get_input_embeddings()(tokens)}


def _code_embeddings(model: Any, tokens: Tensor) -> dict[str, Any]:
    return {"inputs_embeds": model.prepare_embeddings_for_image_generation(tokens)}


def _generation_head(model: Any, inputs: dict[str, Any], kept: int) -> Tensor:
    hidden: Tensor = model.model.language_model(**inputs).last_hidden_state
    logits: Tensor = model.model.generation_head(hidden[:, -kept:])
    return logits


def _grid_positions(model: Any, ids: Tensor, mask: Tensor, inputs: Mapping[str, Any]) -> Positions:
    """GLM-Image's three coordinates (time, line, column), which the class works out for a prompt and its pictures."""
    grids = {name: inputs.get(name) for name in ("image_grid_thw", "images_per_sample")}
    if grids["image_grid_thw"] is None:
        raise ValueError("GLM-Image needs image_grid_thw, the grids of its pictures: pass on what its processor gives")
    prompts, _ = model.model.get_rope_index(ids, attention_mask=mask, **grids)
    drawn: Tensor = model.model._cached_decode_position_ids  # [R, 3, tokens of the pictures to draw]
    before, row = mask.sum(1)[:, None], torch.arange(len(ids), device=ids.device)[:, None]

    def at(precede: Tensor) -> Tensor:
        index = (precede - before).clamp(0, drawn.shape[-1] - 1)
        return drawn[row, :, index].permute(2, 0, 1)

    return prompts, at


CAUSAL_LM = Family()
_WITH_PICTURES = replace(CAUSAL_LM, takes=frozenset({"mm_encoder_outputs"}))
CHAMELEON = replace(_WITH_PICTURES, image_vocab=_mapped_image_tokens, logits=_released_logits)
EMU3 = replace(_WITH_PICTURES, image_vocab=_mapped_image_tokens)
JANUS = Family(
    vocabulary=lambda model: int(model.config.vq_config.num_embeddings),
    prompt=_text_embeddings,
    window=_code_embeddings,
    positions=lambda model, ids, mask, inputs: ((mask.cumsum(1) - 1).clamp_min(0), lambda precede: precede),
    logits=_generation_head,
)
GLM_IMAGE = Family(
    vocabulary=lambda model: int(model.config.text_config.vision_vocab_size),
    image_vocab=lambda model: torch.arange(model.config.vq_config.num_embeddings),
    positions=_grid_positions,
    takes=frozenset({"mm_encoder_outputs", "image_grid_thw", "images_per_sample"}),
)

_WRITING = {"chameleon": _WITH_PICTURES, "emu3": EMU3, "glm_image": GLM_IMAGE}
_DRAWING = {**_WRITING, "chameleon": CHAMELEON}


def family_of(model: Any, *, picture: bool) -> Family:
    """The family of ``model``'s class. Chameleon's, asked for a ``picture``, releases image tokens."""
    return (_DRAWING if picture else _WRITING).get(model.config.model_type, CAUSAL_LM)
