"""`speculative_jacobi` inside generate: the same tokens as plain decoding, whatever window, drafts, batch or cache."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import get_args

import pytest
import torch
from scipy.stats import power_divergence
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    StaticCache,
    StoppingCriteria,
    StoppingCriteriaList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
)

from paperworks.sjd import GridSpec, SJDConfig, SJDOutput
from paperworks.sjd.scheme import Coupling, Init

WINDOWS = (1, 2, 7, 32)
TOKENS = 20
GRID = GridSpec(height=4, width=5)


def _grid(init):
    """The picture that first drafts from the line above need; the others draft without one."""
    return GRID if init.endswith("_v") else None


@pytest.mark.parametrize("window", WINDOWS)
def test_greedy_decoding_is_generates_own(model, prompts, speculate, window):
    ids = prompts(3, 5)
    plain = model.generate(ids, do_sample=False, max_new_tokens=TOKENS)
    for init in get_args(Init):
        ours, _ = speculate(model, ids, sjd={"window": window, "init": init, "grid": _grid(init)}, do_sample=False)
        assert torch.equal(ours, plain)


@pytest.mark.parametrize("window", WINDOWS)
def test_with_gumbel_verification_a_seed_gives_the_tokens_of_plain_sampling(
    model, prompts, speculate, sample_by_noise, window
):
    ids = prompts(3, 5)
    plain = torch.cat([sample_by_noise(model, ids[b : b + 1], TOKENS, seed=3 + b) for b in range(3)])
    for init, coupling in product(get_args(Init), get_args(Coupling)):
        settings = {"window": window, "init": init, "coupling": coupling, "verify": "gumbel", "grid": _grid(init)}
        ours, stats = speculate(model, ids, sjd=settings)
        assert torch.equal(ours, plain)
        assert all(row.tokens == TOKENS >= row.nfe for row in stats.per_row)


def test_twenty_seeds_are_the_twenty_plain_samples(llama, prompts, speculate, sample_by_noise):
    ids = prompts(1, 4).expand(20, -1)
    ours, stats = speculate(llama, ids, sjd={"seed": 40, "verify": "gumbel"})
    for b in range(20):
        assert torch.equal(ours[b : b + 1], sample_by_noise(llama, ids[:1], TOKENS, seed=40 + b))
    assert len({row.nfe for row in stats.per_row}) > 1  # rows advanced each at their own speed


@pytest.mark.parametrize("init", ["repeat_v", "sample_v"])
def test_rows_draft_from_the_line_above_as_they_do_alone(llama, prompts, speculate, init):
    ids, settings = prompts(4, 5), {"window": 8, "init": init, "grid": GridSpec(height=5, width=4), "seed": 10}
    batch, stats = speculate(llama, ids, sjd=settings)
    assert len({row.accepted_per_step for row in stats.per_row}) > 1
    for b in range(4):
        alone, its = speculate(llama, ids[b : b + 1], sjd=settings | {"seed": 10 + b})
        assert torch.equal(batch[b], alone[0])
        assert its.per_row[0] == stats.per_row[b]


@pytest.mark.parametrize("coupling", get_args(Coupling))
@pytest.mark.parametrize("verify", ["mrs", "gumbel"])
def test_a_row_of_a_padded_batch_is_what_it_is_alone(model, prompts, speculate, coupling, verify):
    ids, mask = prompts(4, 6), torch.ones(4, 6, dtype=torch.long)
    ids[1, :3], mask[1, :3] = 0, 0
    ids[3, :1], mask[3, :1] = 0, 0
    settings = {"window": 6, "coupling": coupling, "verify": verify}
    batch, stats = speculate(model, ids, sjd=settings | {"seed": 10}, attention_mask=mask)
    assert len({row.accepted_per_step for row in stats.per_row}) > 1
    for b in range(4):
        alone, its = speculate(model, ids[b : b + 1, int((mask[b] == 0).sum()) :], sjd=settings | {"seed": 10 + b})
        assert torch.equal(batch[b, 6:], alone[0, -TOKENS:])
        assert its.per_row[0] == stats.per_row[b]


def test_a_window_of_one_takes_a_pass_a_token_and_others_fewer(llama, prompts, speculate):
    ids = prompts(2, 5)
    _, plain = speculate(llama, ids, sjd={"window": 1})
    assert plain.nfe == TOKENS
    assert plain.accepted_per_step == [(1, 1)] * TOKENS
    _, stats = speculate(llama, ids)
    assert stats.nfe < TOKENS
    assert stats.step_compression == TOKENS / stats.nfe
    assert [sum(column) for column in zip(*stats.accepted_per_step, strict=True)] == [TOKENS, TOKENS]


@pytest.mark.parametrize("verify", ["mrs", "gumbel"])
def test_a_static_cache_gives_what_a_dynamic_one_gives(model, prompts, speculate, verify):
    ids = prompts(1, 5)
    settings = {"window": 5, "verify": verify}
    dynamic, its = speculate(model, ids, sjd=settings)
    static, stats = speculate(model, ids, sjd=settings, cache_implementation="static")
    assert torch.equal(static, dynamic)
    assert stats.per_row == its.per_row
    own = StaticCache(config=model.config, max_cache_len=40)
    assert torch.equal(speculate(model, ids, sjd=settings, past_key_values=own)[0], dynamic)


def test_a_static_cache_holds_rows_of_different_lengths(llama, prompts, speculate):
    ids = prompts(4, 5)
    settings = {"window": 8, "verify": "gumbel"}
    dynamic, _ = speculate(llama, ids, sjd=settings)
    static, stats = speculate(llama, ids, sjd=settings, cache_implementation="static")
    assert torch.equal(static, dynamic)
    assert len({row.nfe for row in stats.per_row}) > 1


class _SeesItsPrefix(LogitsProcessor):
    """Notes the prefixes that it is called with; forbids the token that comes a line of 4 earlier."""

    def __init__(self):
        self.seen = []

    def __call__(self, ids, scores):
        self.seen += [tuple(row) for row in ids.tolist()]
        return scores.scatter(1, ids[:, -4:-3], -torch.inf) if ids.shape[1] > 4 else scores


def test_processors_of_the_prefix_see_the_prefix_of_every_row(llama, prompts, speculate, sample_by_noise):
    ids = prompts(3, 5)
    theirs = [RepetitionPenaltyLogitsProcessor(1.3), _SeesItsPrefix()]
    plain = torch.cat([sample_by_noise(llama, ids[b : b + 1], TOKENS, seed=3 + b, processors=theirs) for b in range(3)])
    spy = _SeesItsPrefix()
    ours, _ = speculate(
        llama,
        ids,
        sjd={"window": 6, "verify": "gumbel"},
        repetition_penalty=1.3,
        logits_processor=LogitsProcessorList([spy]),
    )
    assert torch.equal(ours, plain)
    wanted = {tuple(row[:length].tolist()) for row in ours for length in range(5, 5 + TOKENS)}
    assert wanted <= set(spy.seen)


def test_warpers_are_applied_to_all_rows_of_a_window(model, prompts, speculate, sample_by_noise):
    ids = prompts(2, 5)
    warpers = [TemperatureLogitsWarper(0.7), TopKLogitsWarper(4)]
    plain = torch.cat(
        [sample_by_noise(model, ids[b : b + 1], TOKENS, seed=3 + b, processors=warpers) for b in range(2)]
    )
    ours, _ = speculate(model, ids, sjd={"window": 9, "verify": "gumbel"}, temperature=0.7, top_k=4)
    assert torch.equal(ours, plain)


@pytest.mark.parametrize("coupling", get_args(Coupling))
def test_rejection_sampling_has_the_law_of_the_processed_model(llama, prompts, speculate, coupling):
    ids, draws = prompts(1, 4), 4000
    warpers = LogitsProcessorList([TemperatureLogitsWarper(0.7), TopKLogitsWarper(3)])
    law = {(): 1.0}
    for _ in range(3):
        prefixes = torch.tensor(list(law), dtype=torch.long).reshape(len(law), -1)
        with torch.no_grad():
            logits = llama(torch.cat([ids.expand(len(law), -1), prefixes], dim=1)).logits[:, -1]
        laws = warpers(None, logits).softmax(-1)
        law = {
            (*prefix, token): weight * row[token].item()
            for (prefix, weight), row in zip(law.items(), laws, strict=True)
            for token in row.nonzero()[:, 0].tolist()
        }
    batch = ids.expand(draws, -1)
    ours, _ = speculate(llama, batch, 3, sjd={"coupling": coupling, "window": 3}, temperature=0.7, top_k=3)
    seen = Counter(map(tuple, ours[:, 4:].tolist()))
    assert set(seen) <= set(law)
    often = [cell for cell, weight in law.items() if draws * weight >= 5]
    counts = [seen[cell] for cell in often] + [draws - sum(seen[cell] for cell in often)]
    wanted = [draws * law[cell] for cell in often] + [draws * (1 - sum(law[cell] for cell in often))]
    assert power_divergence(counts, wanted, lambda_="log-likelihood").pvalue > 1e-3


@pytest.mark.parametrize(("length", "cache"), [(2, None), (2, "static"), (8, None)])
def test_guidance_combines_two_passes(model, prompts, speculate, sample_by_noise, length, cache):
    ids, negative = prompts(2, 5), prompts(1, length, seed=8)
    plain = [
        sample_by_noise(model, ids[b : b + 1], TOKENS, seed=3 + b, negative=negative, guidance=2.5) for b in range(2)
    ]
    settings = {"window": 6, "verify": "gumbel", "guidance_scale": 2.5, "negative_prompt_ids": negative}
    ours, _ = speculate(model, ids, sjd=settings, cache_implementation=cache)
    assert torch.equal(ours, torch.cat(plain))


def test_guidance_of_one_is_none(llama, prompts, speculate):
    ids = prompts(2, 5)
    assert torch.equal(speculate(llama, ids, sjd={"guidance_scale": 1.0})[0], speculate(llama, ids)[0])


@pytest.mark.parametrize("verify", ["mrs", "gumbel"])
def test_a_row_ends_right_behind_its_end_token(llama, prompts, speculate, verify):
    ids = prompts(6, 5)
    settings = {"window": 7, "verify": verify}
    whole, _ = speculate(llama, ids, sjd=settings)
    end = int(whole[0, 5:].mode().values)
    cut, stats = speculate(llama, ids, sjd=settings, eos_token_id=end)
    for row, full, its in zip(cut[:, 5:], whole[:, 5:], stats.per_row, strict=True):
        stop = full.tolist().index(end) + 1 if end in full else TOKENS
        assert row[:stop].tolist() == full[:stop].tolist()
        assert (row[stop:] == 0).all()  # padding
        assert its.tokens == stop
    assert min(row.tokens for row in stats.per_row) < TOKENS


class _EndsAtThirteen(StoppingCriteria):
    def __call__(self, ids, scores, **kwargs):
        return torch.full((len(ids),), ids.shape[1] == 13)


def test_other_criteria_are_asked_about_every_length(llama, prompts, speculate):
    ids = prompts(2, 5)
    criteria = StoppingCriteriaList([_EndsAtThirteen()])
    ours, _ = speculate(llama, ids, stopping_criteria=criteria)
    assert torch.equal(ours, speculate(llama, ids)[0][:, :13])


def test_forced_line_ends_are_drafted_and_always_accepted(llama, prompts, speculate):
    grid = GridSpec(height=4, width=4, line_end_id=22, image_end_id=21, header=1)
    ids, picture = prompts(1, 5), list(range(3, 20))

    def allowed(batch, prefix):
        position = torch.tensor([len(prefix) - 5])
        forced = int(grid.forced(position))
        return picture if forced < 0 else [forced]

    config = SJDConfig.fast(grid=grid, seed=2, image_vocab=torch.tensor(picture))
    ours, stats = speculate(llama, ids, grid.tokens, config=config, prefix_allowed_tokens_fn=allowed)
    tokens = ours[0, 5:].tolist()
    assert [i for i, token in enumerate(tokens) if token == 22] == [5, 10, 15, 20]
    assert tokens[-1] == 21
    assert stats.accepted_per_step[0] == (1,)  # the header
    assert stats.nfe <= grid.tokens - 4  # the line ends cost nothing of their own but at a window's end


def test_an_image_token_named_twice_is_drafted_no_more_often(llama, prompts, speculate):
    once, twice = torch.tensor([4, 7, 9]), torch.tensor([9, 4, 7, 9, 9])
    settings = {"coupling": "independent", "init": "uniform"}
    drawn = [speculate(llama, prompts(4, 5), sjd=settings | {"image_vocab": ids})[0] for ids in (once, twice)]
    assert torch.equal(*drawn)


def test_stats_come_with_the_output_or_stay_with_the_config(llama, prompts, speculate):
    ids = prompts(2, 5)
    out, stats = speculate(llama, ids, return_dict_in_generate=True)
    assert isinstance(out, SJDOutput)
    assert out.stats is stats
    assert stats.seconds > 0
    assert torch.equal(out.sequences, speculate(llama, ids)[0])
    assert out.past_key_values is not None


def test_without_a_seed_torchs_own_decides(llama, prompts, speculate):
    ids = prompts(1, 5)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(speculate(llama, ids, sjd={"seed": None})[0])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


class _Streamer:
    def __init__(self):
        self.parts, self.ended = [], False

    def put(self, tokens):
        self.parts.append(tokens)

    def end(self):
        self.ended = True


def test_a_streamer_hears_the_prompt_and_then_what_each_pass_took(llama, prompts, speculate):
    ids, streamer = prompts(1, 5), _Streamer()
    ours, stats = speculate(llama, ids, sjd={"streamer": streamer})
    assert torch.equal(streamer.parts[0], ids)
    assert [len(part) for part in streamer.parts[1:]] == list(stats.per_row[0].accepted_per_step)
    assert torch.equal(torch.cat(streamer.parts[1:]), ours[0, 5:])
    assert streamer.ended
