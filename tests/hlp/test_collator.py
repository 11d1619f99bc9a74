"""Sequences are laid out right, cuts give the slow path's tokens, and batches depend on nothing but their texts."""

from __future__ import annotations

import ast
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paperworks.hlp import FIM_SCHEMES, FIMCollator, FIMScheme, FIMSettings, Sentinels, fim_transform
from paperworks.hlp.cuts import cut_char, cut_line, syntax_spans
from paperworks.hlp.documents import Document, TextEncoder
from paperworks.hlp.reference import sequence

A, B, C, D, E, F, PRE, SUF, MID, EOI = range(10)
LETTERS = FIMScheme(
    name="letters", prefix=PRE, suffix=SUF, middle=MID, end=EOI, bos=None, modes=("psm", "spm", "spmv2"), stops=(EOI,)
)
ALL = FIMSettings(fim_rate=1.0)


@pytest.mark.parametrize(
    ("mode", "ids"),
    [
        ("psm", [PRE, A, B, SUF, F, MID, C, D, E, EOI]),
        ("spm", [SUF, F, PRE, A, B, MID, C, D, E, EOI]),
        ("spmv2", [PRE, SUF, F, MID, A, B, C, D, E, EOI]),
    ],
)
def test_sequences_and_targets_by_hand(mode, ids):
    found, targets = fim_transform([A, B], [C, D, E], [F], LETTERS, mode)
    assert found.tolist() == ids
    np.testing.assert_array_equal(targets, np.float32([-1] * 6 + [2 / 3, 1 / 3, 0] + [-1]))


def test_an_empty_middle_has_no_targets():
    ids, targets = fim_transform([A], [], [F], LETTERS, "psm")
    assert ids.tolist() == [PRE, A, SUF, F, MID, EOI]
    assert (targets == -1).all()


@pytest.mark.parametrize("name", FIM_SCHEMES)
def test_cuts_give_the_tokens_of_the_slow_path(name, tokenizers, sources):
    tokenizer = tokenizers[name]
    scheme, encoder = FIMScheme.from_tokenizer(tokenizer), TextEncoder(tokenizer)
    assert encoder.local
    assert scheme.name == name
    rng = np.random.default_rng(0)
    for text in sources:
        short = text[:1500]
        document = Document.of(short, encoder)
        for _ in range(40):
            cut = cut_char(short, rng)
            for mode in scheme.modes:
                parts = document.parts(*cut, mode)
                ids, targets = fim_transform(parts.prefix, parts.middle, parts.suffix, scheme, mode)
                slow, slow_targets = sequence(encoder, scheme, short, cut, mode)
                assert ids.tolist() == slow
                np.testing.assert_array_equal(targets, np.float32(slow_targets))


@pytest.mark.long
@pytest.mark.parametrize("name", FIM_SCHEMES)
def test_ten_thousand_cuts_give_the_tokens_of_the_slow_path(name, tokenizers, sources):
    encoder = TextEncoder(tokenizers[name])
    rng = np.random.default_rng(1)
    documents = [Document.of(text[:3000], encoder) for text in sources]
    for turn in range(10_000):
        document = documents[turn % len(documents)]
        start, end = cut_char(document.text, rng)
        np.testing.assert_array_equal(document.encoded(start, end), encoder.encode(document.text[start:end]))


@pytest.mark.parametrize("text", ["ab", " \n \n  ", "12345678901234567890", "a\r\n\r\n\r\nb   \t\t c", "é漢𝒳" * 5])
def test_every_cut_of_small_and_awkward_texts(text, tokenizers):
    for name, tokenizer in tokenizers.items():
        encoder, scheme = TextEncoder(tokenizer), FIMScheme.from_tokenizer(tokenizer)
        document = Document.of(text, encoder)
        for start in range(len(text) + 1):
            for end in range(start, len(text) + 1):
                for mode in scheme.modes:
                    parts = document.parts(start, end, mode)
                    ids, _ = fim_transform(parts.prefix, parts.middle, parts.suffix, scheme, mode)
                    assert ids.tolist() == sequence(encoder, scheme, text, (start, end), mode)[0], (name, start, end)


def test_parts_put_together_are_the_document(tokenizers, sources):
    rng = np.random.default_rng(2)
    for tokenizer in tokenizers.values():
        encoder = TextEncoder(tokenizer)
        decode = tokenizer.backend_tokenizer.decode
        for text in sources:
            document = Document.of(text[:800], encoder)
            start, end = cut_char(document.text, rng)
            parts = document.parts(start, end, "psm")
            spelled = [
                decode(part.tolist(), skip_special_tokens=False) for part in (parts.prefix, parts.middle, parts.suffix)
            ]
            assert spelled == [document.text[:start], document.text[start:end], document.text[end:]]


@pytest.mark.parametrize("name", FIM_SCHEMES)
def test_sentinels_in_a_text_are_text(name, tokenizers):
    scheme = FIMScheme.from_tokenizer(tokenizers[name])
    sentinels = FIM_SCHEMES[name]
    text = f"a{sentinels.prefix}b{sentinels.suffix}c{sentinels.end}d"
    ids = TextEncoder(tokenizers[name]).encode(text)
    assert not {scheme.prefix, scheme.suffix, scheme.end}.intersection(ids.tolist())
    assert tokenizers[name].decode(ids) == text


def test_syntax_spans_are_characters_not_bytes():
    text = 's = "é漢"; call(1)\r\nx = [\n  "ü", y]\r'
    spans = {text[start:end] for start, end in syntax_spans(text)}
    assert {'s = "é漢"', "call(1)", "call", '"ü"', "y", '[\n  "ü", y]'} <= spans


def test_every_node_is_its_own_source(sources):
    for text in sources[:3]:
        found = {text[start:end] for start, end in syntax_spans(text)}
        names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        assert names <= found


def test_no_python_is_cut_at_lines():
    assert syntax_spans("def (") == []
    low, high = cut_line("a\nb\nc", np.random.default_rng(0))
    assert {low, high} <= {0, 2, 4, 5}


@pytest.mark.parametrize("mode", ["psm", "spmv2"])
def test_token_cuts_part_no_token(mode, tokenizers, sources):
    """The parts are the document's own ids, and every place between two of them is as likely."""
    tokenizer = tokenizers["starcoder2"]
    settings = replace(ALL, split={"token": 1}, spm_rate=float(mode == "spmv2"), max_length=100_000)
    collator, encoder = FIMCollator(tokenizer, settings), TextEncoder(tokenizer)
    scheme = collator.scheme
    for text in sources:
        ids, targets = collator.sequence(text)
        whole = encoder.encode(text)
        first = int(np.flatnonzero(targets >= 0)[0])
        middle = ids[first:-1]
        marks = [int(np.flatnonzero(ids == mark)[0]) for mark in (scheme.suffix, scheme.middle)]
        suffix = ids[marks[0] + 1 : marks[1]]
        prefix = ids[1 : marks[0]] if mode == "psm" else ids[marks[1] + 1 : first]
        np.testing.assert_array_equal(np.concatenate([prefix, middle, suffix]), whole)
        assert len(middle) == (targets >= 0).sum()


def test_token_cuts_reach_every_place(tokenizers):
    document = Document.of("a = b\n", TextEncoder(tokenizers["starcoder2"]))
    rng = np.random.default_rng(0)
    found = {(len(parts.prefix), len(parts.middle)) for parts in (document.between_tokens(rng) for _ in range(400))}
    count = len(document.ids)
    assert found == {(low, high - low) for low in range(count) for high in range(low + 1, count + 1)}


@pytest.mark.parametrize("remembered", [0, 2])
def test_what_is_remembered_changes_no_sequence(remembered, tokenizers, sources):
    kept, few = (FIMCollator(tokenizers["qwen2.5-coder"], replace(ALL, remembered=n)) for n in (4096, remembered))
    texts = [*sources[:4], sources[0]]
    for epoch in (0, 1):
        kept.set_epoch(epoch)
        few.set_epoch(epoch)
        for whole, one in zip(kept.sequences(texts), map(few.sequence, texts), strict=True):
            np.testing.assert_array_equal(whole[0], one[0])
            np.testing.assert_array_equal(whole[1], one[1])
    assert len(few._documents) <= remembered


def test_batches_depend_on_seed_epoch_and_text_only(tokenizers, sources):
    features = [{"text": text} for text in sources]
    collator = FIMCollator(tokenizers["starcoder2"], replace(ALL, spm_rate=0.5, max_length=256))
    whole = collator(features)
    again = pickle.loads(pickle.dumps(collator))(features[::-1])
    width = min(whole["input_ids"].shape[1], again["input_ids"].shape[1])
    assert torch.equal(whole["input_ids"][:, :width], again["input_ids"].flip(0)[:, :width])
    collator.set_epoch(1)
    assert not torch.equal(collator(features)["input_ids"][:, :64], whole["input_ids"][:, :64])


def test_rates_are_those_asked_for(tokenizers):
    collator = FIMCollator(tokenizers["starcoder2"], FIMSettings(fim_rate=0.7, spm_rate=0.4))
    firsts = []
    for number in range(2000):
        ids, targets = collator.sequence(f"value = {number}\nprint(value)\n")
        firsts.append((int((targets >= 0).any()), int(ids[1] == collator.scheme.suffix)))
    transformed, suffix_first = np.sum(firsts, axis=0)
    assert abs(transformed - 1400) < 4 * (2000 * 0.7 * 0.3) ** 0.5
    # An empty prefix also puts the suffix second: one cut in 15 at most begins at the first character.
    assert abs(suffix_first - 560) < 4 * (2000 * 0.28 * 0.72) ** 0.5 + 2000 * 0.42 / 12


def test_no_sequence_is_too_long_and_none_loses_its_middle_or_end(tokenizers, sources):
    collator = FIMCollator(tokenizers["qwen2.5-coder"], replace(ALL, max_length=64))
    for epoch in range(20):
        collator.set_epoch(epoch)
        for text in sources:
            ids, targets = collator.sequence(text)
            assert len(ids) <= 64
            assert ids[-1] == collator.scheme.end
            if (targets >= 0).any():
                assert targets[-2] == 0
                middle = int((targets >= 0).sum())
                assert targets[targets >= 0][0] == np.float32((middle - 1) / middle)


def test_padding_is_seen_by_no_loss(tokenizers):
    batch = FIMCollator(tokenizers["santacoder"], ALL)([{"text": "x = 1\ny = 2\n"}, {"content": "z"}])
    padding = batch["attention_mask"] == 0
    assert padding.any()
    assert (batch["labels"][padding] == -100).all()
    assert (batch["hlp_targets"][padding] == -1).all()
    assert torch.equal(batch["labels"][~padding], batch["input_ids"][~padding])


def test_packed_sequences_do_not_see_each_other(tokenizers):
    collator = FIMCollator(tokenizers["santacoder"], replace(ALL, padding_free=True))
    batch = collator([{"text": "alpha = beta + gamma\n"}, {"text": "def one():\n    return 1\n"}])
    starts = (batch["position_ids"][0] == 0).nonzero().flatten().tolist()
    assert len(starts) == 2
    assert batch["labels"][0, starts].tolist() == [-100, -100]
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=800, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2)
    ).eval()
    other = batch["input_ids"].clone()
    other[0, : starts[1]] = 5
    with torch.no_grad():
        one, two = (
            model(input_ids=ids, position_ids=batch["position_ids"], use_cache=False).logits[0]
            for ids in (batch["input_ids"], other)
        )
    torch.testing.assert_close(one[starts[1] :], two[starts[1] :])
    assert not torch.allclose(one[: starts[1]], two[: starts[1]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fim_rate": 1.1}, "share from 0 to 1"),
        ({"spm_rate": -0.1}, "share from 0 to 1"),
        ({"max_length": 15}, "at least 16"),
        ({"remembered": -1}, "0 or more"),
        ({"split": {"word": 1}}, "no split word"),
        ({"split": {"char": 0}}, "must be positive"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FIMSettings(**settings)


def test_schemes_that_do_not_fit_are_refused(tokenizers):
    with pytest.raises(ValueError, match="deepseek-coder knows psm"):
        FIMCollator(tokenizers["deepseek-coder"], FIMSettings(spm_rate=0.5))
    with pytest.raises(ValueError, match="must each be one token"):
        FIMScheme.from_tokenizer(tokenizers["deepseek-coder"], "starcoder2")
    with pytest.raises(ValueError, match="no scheme 'santa'"):
        FIMScheme.from_tokenizer(tokenizers["deepseek-coder"], "santa")
    with pytest.raises(ValueError, match="must each be one token"):
        FIMScheme.from_tokenizer(
            tokenizers["santacoder"], Sentinels(prefix="<a>", suffix="<b>", middle="<c>", end="<d>", modes=("psm",))
        )
    with pytest.raises(ValueError, match="'text' or 'content'"):
        FIMCollator(tokenizers["santacoder"])([{"code": "x"}])
