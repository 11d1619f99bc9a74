"""A model that is not of transformers takes part by three functions and a cache of its own kind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from transformers import LogitsProcessorList, TopKLogitsWarper

from paperworks.sjd import ARAdapter, GridSpec, SJDConfig, SJDOutput, decode_with
from paperworks.sjd.randomness import noise, race

VOCABULARY = 11


@dataclass
class _Memory:
    """One state [R, D] a row: what it has read, and the states after each token of the latest window."""

    state: torch.Tensor
    window: torch.Tensor | None = None


class _Recurrent:
    """A small recurrent network. Its cache is a vector, so rolling back means to return to an earlier one."""

    image_vocab = torch.arange(1, VOCABULARY)
    vocabulary = VOCABULARY

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.read = torch.randn(VOCABULARY, 16, generator=generator, dtype=torch.float64)
        self.turn = torch.randn(16, 16, generator=generator, dtype=torch.float64) / 4
        self.write = torch.randn(16, VOCABULARY, generator=generator, dtype=torch.float64)

    def states(self, state, tokens):
        after = []
        for token in tokens.unbind(1):
            state = torch.tanh(state @ self.turn + self.read[token])
            after.append(state)
        return torch.stack(after, dim=1)

    def prefill(self, ids, mask):
        assert mask.all()
        state = self.states(torch.zeros(len(ids), 16, dtype=torch.float64), ids)[:, -1]
        return (state @ self.write)[:, None], _Memory(state)

    def window_logits(self, tokens, counts, cache):
        cache.window = self.states(cache.state, tokens)
        return cache.window @ self.write

    def rollback(self, cache, n_keep):
        rows = torch.arange(len(n_keep))
        cache.state = cache.window[rows, (n_keep - 1).clamp_min(0)]

    def room(self, cache):
        return None


def _plain(model, ids, tokens, seed, guidance=None):
    """Token after token; with guidance, away from what a prompt of a single 0 says."""
    negative = torch.zeros(1, 1, dtype=torch.long)
    start = ids.shape[1]
    for position in range(tokens):
        logits, _ = model.prefill(ids, torch.ones_like(ids))
        if guidance is not None:
            other = torch.cat([negative, ids[:, start:]], dim=1)
            away, _ = model.prefill(other, torch.ones_like(other))
            logits = away + guidance * (logits - away)
        drawn = race(logits.softmax(-1)[:, 0], noise(torch.tensor([seed]), torch.tensor([position]), VOCABULARY))
        ids = torch.cat([ids, drawn[:, None]], dim=1)
    return ids


@pytest.mark.parametrize("window", [1, 5, 16])
def test_rows_of_ones_own_model_are_its_plain_samples(prompts, window):
    model: ARAdapter = _Recurrent()
    ids = prompts(3, 4) % VOCABULARY
    out = decode_with(model, ids, 18, sjd_config=SJDConfig(window=window, verify="gumbel", seed=5))
    assert isinstance(out, SJDOutput)
    for b in range(3):
        assert torch.equal(out.sequences[b : b + 1], _plain(model, ids[b : b + 1], 18, seed=5 + b))
    assert len({row.nfe for row in out.stats.per_row}) > (window > 1)


def test_guidance_is_decodings_not_the_adapters(prompts):
    model, ids = _Recurrent(), prompts(1, 1) % VOCABULARY
    negative = torch.zeros(1, 1, dtype=torch.long)
    config = SJDConfig(window=5, verify="gumbel", seed=5, guidance_scale=1.7, negative_prompt_ids=negative)
    ours = decode_with(model, ids, 12, sjd_config=config).sequences
    assert torch.equal(ours, _plain(model, ids, 12, seed=5, guidance=1.7))


def test_first_drafts_of_a_picture_are_the_adapters_image_tokens(prompts):
    model, ids = _Recurrent(), prompts(1, 3) % VOCABULARY
    model.image_vocab = torch.tensor([40])
    grid = GridSpec(height=3, width=4)
    with pytest.raises(ValueError, match="ids from 0 to 10, not 40"):
        decode_with(model, ids, 12, sjd_config=SJDConfig(grid=grid))
    assert decode_with(model, ids, 12).sequences.shape == (1, 15)  # no picture: any token may be drafted


def test_processors_and_greediness_are_as_in_generate(prompts):
    model, ids = _Recurrent(), prompts(2, 3) % VOCABULARY
    one = LogitsProcessorList([TopKLogitsWarper(1)])
    likeliest = decode_with(model, ids, 9, logits_processor=one).sequences
    assert torch.equal(likeliest, decode_with(model, ids, 9, do_sample=False).sequences)


def test_no_tokens_are_refused(prompts):
    with pytest.raises(ValueError, match="at least 1, not 0"):
        decode_with(_Recurrent(), prompts(1, 3) % VOCABULARY, 0)
