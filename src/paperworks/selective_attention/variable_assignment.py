"""Variable assignment (Section 2): which value has each variable now? Models of two layers that learn to say.

A sequence states assignments, some of which overwrite earlier ones, and then asks for every variable::

    BOS  y 3  x 7  z 1  x 4 ...  ?  z 1  x 4  y 3

What a variable was before does not matter any more once it is assigned anew; attention that can say so has less to sort
out. Models are trained on short sequences and judged on longer ones too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from . import hf
from .memory import recorded
from .models import pruned, windowed

__all__ = ["accuracy", "assignments", "built", "overwritten_and_standing", "penalties", "pruned_accuracy", "train"]

VARIABLES, VALUES = 3, 10
BOS, ASK = 0, 1 + VARIABLES + VALUES
VOCABULARY = ASK + 1
ANSWER = 2 * VARIABLES
"""The last tokens of a sequence: each variable and its value."""

SHORTEST, LONGEST = VARIABLES, 12
"""How many assignments the training sequences have."""

EXAMPLE = (BOS, 1, 7, 2, 9, 3, 5, 1, 11, 2, 6, ASK, 1, 11, 3, 5, 2, 6)
"""x = 3, y = 5, z = 1, x = 7, y = 2; x? 7, z? 1, y? 2."""

_BATCH = 48
_LEARNING_RATE, _WARM_UP = 2e-3, 50
_LARGEST_GRADIENT = 1.0
_EVALUATED_AT_ONCE = 64
_TRAINING, _EVALUATION = 0, 1  # keep the draws of the two apart

Attention: TypeAlias = Literal["selective", "standard"]
Weights: TypeAlias = Mapping[str, np.ndarray[Any, Any]]


def assignments(count: int, rows: int, rng: np.random.Generator) -> Tensor:
    """``rows`` sequences [B, 2 count + 8] of tokens with ``count`` assignments each.

    The first three assign every variable once, so that each has a value; the order of the questions is random. Raises
    ValueError for fewer assignments than variables.
    """
    if count < VARIABLES:
        raise ValueError(f"{count} assignments leave some of the {VARIABLES} variables without a value")
    orders = [rng.permuted(np.tile(np.arange(VARIABLES), (rows, 1)), axis=1) for _ in range(2)]
    later = rng.integers(VARIABLES, size=(rows, count - VARIABLES))
    variables = np.concatenate([orders[0], later], axis=1)
    values = rng.integers(VALUES, size=(rows, count))
    current = np.empty((rows, VARIABLES), dtype=np.int64)
    for place in range(count):
        current[np.arange(rows), variables[:, place]] = values[:, place]
    asked = orders[1]
    edge = np.zeros((rows, 1), dtype=np.int64)
    statements = _pairs(variables, values)
    answers = _pairs(asked, np.take_along_axis(current, asked, axis=1))
    return torch.from_numpy(np.concatenate([edge + BOS, statements, edge + ASK, answers], axis=1))


def _pairs(variables: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Tokens [B, 2 n] of variables and values [B, n] by turns."""
    return np.stack([1 + variables, 1 + VARIABLES + values], axis=-1).reshape(len(variables), -1)


def spelled(token: int) -> str:
    """A token as people write it."""
    if token in (BOS, ASK):
        return "BOS" if token == BOS else "?"
    return "xyz"[token - 1] if token <= VARIABLES else str(token - 1 - VARIABLES)


def built(attention: Attention, weights: Weights | None = None, *, seed: int = 0) -> LlamaForCausalLM:
    """The model of the task, 2 layers of 2 heads and width 32, with ``weights`` or those that the seed draws."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=88,
        num_hidden_layers=2,
        num_attention_heads=2,
        hidden_act="gelu",
        bos_token_id=BOS,
        eos_token_id=None,
        pad_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.reset_parameters()  # torch's draw: transformers' is made for wider models, and learns slower
    if weights is not None:
        model.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    if attention == "selective":
        hf.enable(model)
    return model.eval()


def train(*, seed: int, attention: Attention, steps: int) -> dict[str, np.ndarray[Any, Any]]:
    """The weights by name after ``steps`` of `_BATCH` sequences, on a loss of the answered values alone."""
    model = built(attention, seed=seed).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / _WARM_UP, total_iters=_WARM_UP)
    for tokens in _batches(seed, steps):
        logits = _answers(model, tokens)
        loss = cross_entropy(logits.flatten(0, 1), tokens[:, -ANSWER:][:, 1::2].flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), _LARGEST_GRADIENT)
        optimizer.step()
        warm.step()
    return {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}


def _batches(seed: int, steps: int) -> Iterator[Tensor]:
    rng = np.random.default_rng([seed, _TRAINING])
    for _ in range(steps):
        yield assignments(int(rng.integers(SHORTEST, LONGEST + 1)), _BATCH, rng)


def _answers(model: LlamaForCausalLM, tokens: Tensor) -> Tensor:
    """Logits [B, 3, V] of the values asked for; each follows its variable."""
    logits: Tensor = model(input_ids=tokens[:, :-1], use_cache=False).logits
    return logits[:, 1 - ANSWER :][:, ::2]


def accuracy(weights: Weights, *, attention: Attention, seed: int, counts: Sequence[int], rows: int) -> list[float]:
    """The share of values that the model names rightly on ``rows`` new sequences of each of ``counts`` assignments."""
    model = built(attention, weights)
    return [_correct(model, _held_out(count, rows, seed), nullcontext()) for count in counts]


def pruned_accuracy(
    weights: Weights, *, seed: int, count: int, rows: int, budgets: Sequence[int]
) -> dict[str, list[float]]:
    """As `accuracy` of a selective model with ``count`` assignments, when every layer stores so many tokens.

    "selection" drops what the penalty says, "window" the oldest.
    """
    model, tokens = built("selective", weights), _held_out(count, rows, seed)
    return {
        "selection": [_correct(model, tokens, pruned(model, budget)) for budget in budgets],
        "window": [_correct(model, tokens, windowed(model, budget + 1)) for budget in budgets],
    }


def penalties(weights: Weights, tokens: Tensor) -> np.ndarray[Any, Any]:
    """F [L, B, N, N] of each layer of a selective model on sequences [B, N]."""
    model = built("selective", weights)
    with torch.inference_mode(), recorded(model) as recorder:
        model(input_ids=tokens, use_cache=False)
    layers = [recorder.selections[layer].penalties()[0] for layer in sorted(recorder.selections)]
    return torch.stack(layers).float().numpy()


def overwritten_and_standing(weights: Weights, *, seed: int, count: int, rows: int) -> dict[str, list[float]]:
    """The mean penalty, by layer, that acts at the question on values "overwritten" and on "standing" ones."""
    tokens = _held_out(count, rows, seed)
    statements = tokens[:, 1 : 1 + 2 * count]
    variables = statements[:, ::2]
    later = (variables[:, None] == variables[:, :, None]).triu(1).any(-1)  # whether the same variable comes again
    acting = torch.from_numpy(penalties(weights, tokens))[:, :, 1 + 2 * count, 2 : 2 + 2 * count : 2]
    return {
        "overwritten": acting[:, later].mean(-1).tolist(),
        "standing": acting[:, ~later].mean(-1).tolist(),
    }


def _held_out(count: int, rows: int, seed: int) -> Tensor:
    return assignments(count, rows, np.random.default_rng([seed, _EVALUATION, count]))


@torch.inference_mode()
def _correct(model: LlamaForCausalLM, tokens: Tensor, limited: AbstractContextManager[None]) -> float:
    with limited:
        answers = torch.cat([_answers(model, rows).argmax(-1) for rows in tokens.split(_EVALUATED_AT_ONCE)])
    return float((answers == tokens[:, -ANSWER:][:, 1::2]).double().mean())
