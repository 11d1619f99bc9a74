"""A hole is filled until the model says so, alone as in a batch, and the horizon is heard at every token."""

from __future__ import annotations

import itertools

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paperworks.hlp import Decoding, HLPHead, InfillResult, infill
from paperworks.hlp.documents import TextEncoder
from paperworks.hlp.guidance import Healing
from paperworks.hlp.transform import horizon_targets

HOLES = [("def f(x):\n    return ", "\n"), ("a", "b"), ("", "print(1)\n" * 5)]


@pytest.fixture
def rigged(tokenizers):
    """A model that says of each token what stands in its table, whatever came before."""

    def make(spelled, stop):
        tokenizer = tokenizers["starcoder2"]
        torch.manual_seed(0)
        size = len(tokenizer)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=size, hidden_size=size, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
            )
        ).eval()
        vocabulary = tokenizer.get_vocab()
        said = [vocabulary["<fim_middle>"], *TextEncoder(tokenizer).encode(spelled).tolist(), vocabulary[stop]]
        with torch.no_grad():
            for layer in model.model.layers:
                layer.self_attn.o_proj.weight.zero_()
                layer.mlp.down_proj.weight.zero_()
            model.model.embed_tokens.weight.copy_(torch.eye(size))
            model.lm_head.weight.zero_()
            for token, following in itertools.pairwise(said):
                model.lm_head.weight[following, token] = 1
        return model, tokenizer

    return make


@pytest.mark.parametrize("stop", ["<|endoftext|>", "<file_sep>", "<fim_prefix>"])
def test_every_sentinel_ends_a_hole(stop, rigged):
    model, tokenizer = rigged("x+1", stop)
    results = infill(model, tokenizer, HOLES)
    assert [(result.text, result.stopped) for result in results] == [("x+1", True)] * 3
    assert results[0].horizon is None


def test_a_hole_that_is_not_ended_says_so(rigged):
    model, tokenizer = rigged("x+1", "<|endoftext|>")
    (result,) = infill(model, tokenizer, HOLES[:1], max_new_tokens=2)
    assert not result.stopped
    assert result.tokens == 2
    assert "x+1".startswith(result.text)


def test_a_batch_is_filled_as_its_holes_are_alone(tokenizers):
    torch.manual_seed(1)
    tokenizer = tokenizers["qwen2.5-coder"]
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2
        )
    ).eval()
    model.hlp_head = HLPHead(32)
    torch.nn.init.normal_(model.hlp_head.weight)
    together = infill(model, tokenizer, HOLES, max_new_tokens=12, use_horizon=True)
    for hole, result in zip(HOLES, together, strict=True):
        (alone,) = infill(model, tokenizer, [hole], max_new_tokens=12, use_horizon=True)
        assert alone.text == result.text
        assert alone.horizon == pytest.approx(result.horizon, abs=1e-5)
        assert len(result.horizon) == result.tokens


def test_holes_that_cannot_be_filled_are_refused(rigged, tokenizers):
    model, tokenizer = rigged("x", "<|endoftext|>")
    with pytest.raises(ValueError, match="at least one pair"):
        infill(model, tokenizer, [])
    with pytest.raises(ValueError, match=r"needs model\.hlp_head"):
        infill(model, tokenizer, HOLES, use_horizon=True)
    with pytest.raises(ValueError, match="codestral knows spm"):
        infill(model, tokenizers["codestral"], HOLES, decoding=Decoding(mode="psm"))


def random_model(tokenizer, seed=1, **config):
    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **shape | config)).eval()
    model.hlp_head = HLPHead(32)
    torch.nn.init.normal_(model.hlp_head.weight)
    return model


def test_the_horizon_is_what_the_head_says_of_the_whole_sequence(tokenizers):
    tokenizer = tokenizers["starcoder2"]
    model = random_model(tokenizer)
    heard = []
    (result,) = infill(
        model,
        tokenizer,
        HOLES[:1],
        max_new_tokens=9,
        use_horizon=True,
        watch=lambda ids, said: heard.append((ids, said)),
    )
    vocabulary, encode = tokenizer.get_vocab(), TextEncoder(tokenizer).encode
    prefix, suffix = HOLES[0]
    prompt = [vocabulary["<fim_prefix>"], *encode(prefix), vocabulary["<fim_suffix>"], *encode(suffix)]
    prompt.append(vocabulary["<fim_middle>"])
    written = [ids[0] for ids, _ in heard]
    hidden = model.model(torch.tensor([prompt + written])).last_hidden_state
    expected = model.hlp_head(hidden)[0, len(prompt) :].tolist()
    assert result.tokens == 9
    assert not result.stopped
    assert result.horizon == pytest.approx(expected, abs=1e-5)
    assert [said[0] for _, said in heard] == pytest.approx(expected, abs=1e-5)


def test_tokens_still_to_come_invert_the_target():
    for middle in (1, 2, 7):
        truth = horizon_targets(middle).tolist()
        result = InfillResult(text="", tokens=middle, stopped=True, horizon=tuple(truth))
        assert result.remaining == pytest.approx([middle - t for t in range(1, middle + 1)], abs=1e-4)
    assert InfillResult(text="", tokens=1, stopped=True).remaining is None


@pytest.mark.parametrize(("said", "sooner"), [(-20.0, True), (20.0, False)])
def test_a_head_that_sees_the_end_ends_a_filling_sooner(said, sooner, rigged):
    """The table prefers its next token by a margin of 1, which the bias outweighs."""
    model, tokenizer = rigged("x+1", "<|endoftext|>")
    model.hlp_head = HLPHead(model.config.hidden_size)
    with torch.no_grad():
        model.hlp_head.bias.fill_(said)
    (plain,) = infill(model, tokenizer, HOLES[:1], max_new_tokens=8)
    (biased,) = infill(model, tokenizer, HOLES[:1], max_new_tokens=8, decoding=Decoding(end_bias=1000.0))
    assert plain.text == "x+1"
    assert biased.stopped is sooner
    assert biased.tokens == (1 if sooner else 8)
    assert biased.horizon is None


def test_a_healed_token_is_given_back_and_written_again(tokenizers):
    """A model that would write ' return', asked in the midst of it, goes on with the rest of it only if healed."""
    tokenizer = tokenizers["starcoder2"]
    prefix = "def f():\n    re"
    model = random_model(tokenizer)
    favourite = tokenizer.get_vocab()["Ġreturn"]

    def preferring(module, inputs, output):
        output[..., favourite] += 100.0

    model.lm_head.register_forward_hook(preferring)
    (plain,) = infill(model, tokenizer, [(prefix, "\n")], max_new_tokens=1)
    (healed,) = infill(model, tokenizer, [(prefix, "\n")], max_new_tokens=1, decoding=Decoding(heal=True))
    assert plain.text == " return"
    assert healed.text == "turn"


def test_healing_lets_through_what_goes_on_with_the_begun_text_only(tokenizers):
    tokenizer = tokenizers["qwen2.5-coder"]
    size = len(tokenizer)
    healing = Healing(tokenizer, ["ret", ""], prompt=2)
    scores = healing(torch.zeros(2, 2, dtype=torch.long), torch.zeros(2, size))
    texts = tokenizer.batch_decode([[token] for token in range(size)])
    allowed = {texts[token] for token in range(size) if scores[0, token] == 0}
    assert allowed == {text for text in texts if text and (text.startswith("ret") or "ret".startswith(text))}
    assert "r" in allowed
    assert torch.equal(scores[1], torch.zeros(size))
    after = healing(torch.tensor([[0, 0, texts.index("r")], [0, 0, 5]]), torch.zeros(2, size))
    assert {texts[token] for token in range(size) if after[0, token] == 0} == {
        text for text in texts if text and (text.startswith("et") or "et".startswith(text))
    }


def test_what_does_not_fit_into_the_context_is_left_out_at_the_outer_ends(tokenizers):
    tokenizer = tokenizers["starcoder2"]
    model = random_model(tokenizer, max_position_embeddings=48)
    seen = []
    model.model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    near_before, near_after = "before = 1\n", "\nafter = 2"
    infill(model, tokenizer, [("x = 0\n" * 50 + near_before, near_after + "\ny = 0" * 50)], max_new_tokens=8)
    prompt = tokenizer.decode(seen[0][0].tolist())
    assert seen[0].shape[1] <= 48 - 8
    assert f"{near_before}<fim_suffix>{near_after}" in prompt
    with pytest.raises(ValueError, match="leaves no room"):
        infill(model, tokenizer, HOLES, max_new_tokens=48)


def test_the_order_is_the_models_own_unless_one_is_asked_for(tokenizers):
    tokenizer = tokenizers["starcoder2"]
    model = random_model(tokenizer, fim_mode="spmv2")
    asked = {
        mode: infill(model, tokenizer, HOLES[:1], max_new_tokens=6, use_horizon=True, decoding=Decoding(mode=mode))
        for mode in ("auto", "spmv2", "psm")
    }
    assert asked["auto"] == asked["spmv2"] != asked["psm"]
    del model.config.fim_mode
    (default,) = infill(model, tokenizer, HOLES[:1], max_new_tokens=6, use_horizon=True)
    assert [default] == asked["psm"]


@pytest.mark.parametrize("mode", ["psm", "spm", "spmv2"])
def test_a_prompt_is_laid_out_as_its_mode_has_it(mode, tokenizers):
    tokenizer = tokenizers["santacoder"]
    model = random_model(tokenizer)
    seen = []
    model.model.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    infill(model, tokenizer, [("ab", "cd")], max_new_tokens=2, decoding=Decoding(mode=mode, heal=False))
    assert (
        tokenizer.decode(seen[0][0].tolist())
        == {
            "psm": "<fim-prefix>ab<fim-suffix>cd<fim-middle>",
            "spm": "<fim-suffix>cd<fim-prefix>ab<fim-middle>",
            "spmv2": "<fim-prefix><fim-suffix>cd<fim-middle>ab",
        }[mode]
    )


def test_samples_are_drawn_and_greedy_ones_refused(tokenizers):
    tokenizer = tokenizers["starcoder2"]
    model = random_model(tokenizer)
    torch.manual_seed(3)
    drawn = infill(model, tokenizer, HOLES[:2], max_new_tokens=6, decoding=Decoding(temperature=1.0, samples=3))
    assert len(drawn) == 6
    assert len({result.text for result in drawn[:3]}) > 1
    with pytest.raises(ValueError, match="all the same"):
        Decoding(samples=2)
    with pytest.raises(ValueError, match="0 or more"):
        Decoding(temperature=-1)
