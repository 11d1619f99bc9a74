"""L-Mul attention in random-weight models of five architectures: masks, caches, grouped heads, windows, soft caps."""

import itertools

import pytest
import torch
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    BartConfig,
    BertConfig,
    DeepseekV3Config,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GptOssConfig,
    LlamaConfig,
    MistralConfig,
    T5Config,
    ViTConfig,
    ViTForImageClassification,
)

import paperworks.lmul.attention
import paperworks.lmul.hf  # registers "lmul"
from paperworks.lmul.config import LMulConfig

SIZES = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "pad_token_id": 0}
HEADS = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}
WINDOW = 4
CONFIGS = {
    "llama": lambda: LlamaConfig(**SIZES, **HEADS),
    "gpt2": lambda: GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64, pad_token_id=0),
    "mistral": lambda: MistralConfig(**SIZES, **HEADS, sliding_window=WINDOW),
    "gemma2": lambda: Gemma2Config(
        **SIZES, **HEADS, sliding_window=WINDOW, attn_logit_softcapping=2.0, query_pre_attn_scalar=8
    ),
}
OTHERS = {
    "bert": lambda: BertConfig(**SIZES, num_attention_heads=4),
    "bart": lambda: BartConfig(
        **BART, encoder_ffn_dim=48, decoder_ffn_dim=48, encoder_attention_heads=4, decoder_attention_heads=4
    ),
    "t5": lambda: T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4),
    "gpt-oss": lambda: GptOssConfig(
        **SIZES, **HEADS, sliding_window=WINDOW, num_local_experts=2, num_experts_per_tok=1
    ),
    "gemma3": lambda: Gemma3TextConfig(**SIZES, **HEADS, sliding_window=WINDOW),
    "deepseek-v3": lambda: DeepseekV3Config(**SIZES, **LATENT, **EXPERTS, num_attention_heads=4, num_key_value_heads=4),
}
BART = {"vocab_size": 64, "d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "max_position_embeddings": 64}
LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8}
EXPERTS = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1, "moe_intermediate_size": 16}


def loud(model):
    """Matrices scaled up until attention matters to the output."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(8)
    return model.eval()


def build(name, **settings):
    torch.manual_seed(0)
    model = loud(AutoModelForCausalLM.from_config(CONFIGS[name](), attn_implementation="lmul"))
    model.config.lmul = settings
    return model


def tokens(*shape):
    return torch.randint(3, 64, shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def logits(model, ids, **inputs):
    return model(input_ids=ids, **inputs).logits


@pytest.fixture(params=sorted(CONFIGS))
def family(request):
    return request.param


@pytest.fixture
def ordinary_products(monkeypatch):
    """L-Mul replaced by the ordinary product, so that everything around it can be compared exactly."""
    monkeypatch.setattr(paperworks.lmul.attention, "matmul", lambda a, b, **settings: a @ b)


@pytest.fixture
def vit():
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = ViTConfig(**sizes, image_size=8, patch_size=2, num_channels=1, num_labels=10)
    return ViTForImageClassification(config).eval()


@pytest.mark.usefixtures("ordinary_products")
def test_with_ordinary_products_it_is_transformers_eager_attention(family):
    model = build(family)
    ids = tokens(2, 11)
    padded = torch.ones_like(ids)
    padded[1, :3] = 0
    ours = logits(model, ids, attention_mask=padded)
    model.set_attn_implementation("eager")
    theirs = logits(model, ids, attention_mask=padded)
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))


@pytest.mark.usefixtures("ordinary_products")
@pytest.mark.parametrize("name", sorted(OTHERS))
def test_with_ordinary_products_other_attentions_are_eager_too(name):
    """Encoders, cross attention, position biases, sinks, heads whose values are wider than their keys' common part."""
    torch.manual_seed(0)
    model = loud(AutoModel.from_config(OTHERS[name]()))
    inputs = {"input_ids": tokens(2, 9), "attention_mask": torch.ones(2, 9, dtype=torch.long)}
    inputs["attention_mask"][0, :3] = 0
    if model.config.is_encoder_decoder:
        inputs["decoder_input_ids"] = tokens(2, 5)
    outputs = {}
    for attention in ("eager", "lmul"):
        model.set_attn_implementation(attention)
        assert model.config._attn_implementation == attention
        with torch.no_grad():
            outputs[attention] = model(**inputs).last_hidden_state
    torch.testing.assert_close(outputs["lmul"], outputs["eager"], rtol=0, atol=1e-5)


@pytest.mark.usefixtures("ordinary_products")
def test_with_ordinary_products_a_vision_transformer_is_eager_too(vit):
    pixels = torch.randn(3, 1, 8, 8)
    with torch.no_grad():
        theirs = vit(pixels).logits
        vit.set_attn_implementation("lmul")
        ours = vit(pixels).logits
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_every_product_goes_through_lmul_with_the_configs_settings(family, monkeypatch):
    seen = []

    def spy(a, b, **settings):
        seen.append(settings)
        return a @ b

    monkeypatch.setattr(paperworks.lmul.attention, "matmul", spy)
    model = build(family, mantissa_bits=3, variant="formula")
    logits(model, tokens(1, 5))
    wanted = LMulConfig(mantissa_bits=3, variant="formula").arithmetic
    assert seen == [wanted] * 4  # two layers, two products each


def test_vision_with_lmul_sees_every_patch_and_differs_a_little_from_exact(vit):
    pixels = torch.randn(3, 1, 8, 8)
    with torch.no_grad():
        exact = vit(pixels).logits
        vit.set_attn_implementation("lmul")
        ours = vit(pixels, output_attentions=True)
    assert (ours.attentions[0] > 0).all()
    assert 0 < (ours.logits - exact).abs().max() < 0.2 * exact.abs().max()


def test_a_left_padded_batch_equals_the_unpadded_rows(family):
    model = build(family)
    short, long = tokens(2, 9)[:1, :6], tokens(2, 9)[1:]
    batch = torch.cat([torch.cat([torch.zeros(1, 3, dtype=torch.long), short], 1), long])
    mask = (batch != 0).long()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    together = logits(model, batch, attention_mask=mask, position_ids=positions)
    scale = float(together.abs().max())
    torch.testing.assert_close(together[0, 3:], logits(model, short)[0], rtol=0, atol=1e-5 * scale)
    torch.testing.assert_close(together[1], logits(model, long)[0], rtol=0, atol=1e-5 * scale)


def test_later_tokens_and_those_out_of_the_window_change_nothing(family):
    """Causality holds everywhere; with two sliding layers nothing from further back than two windows arrives."""
    model = build(family)
    ids = tokens(1, 12)
    before = logits(model, ids)[0]
    changed = ids.clone()
    changed[0, 7] = 3 + (ids[0, 7] - 2) % 61
    moved = (logits(model, changed)[0] - before).abs().amax(-1) > 0
    assert not moved[:7].any()
    assert moved[7]
    if family == "mistral":
        changed[0] = ids[0]
        changed[0, 0] = 3 + (ids[0, 0] - 2) % 61
        moved = (logits(model, changed)[0] - before).abs().amax(-1) > 0
        assert moved[0]
        assert not moved[2 * (WINDOW - 1) + 1 :].any()


def test_cached_generation_equals_uncached(family):
    model = build(family)
    ids = tokens(2, 6)
    ids[0, :2] = 0
    settings = {"attention_mask": (ids != 0).long(), "max_new_tokens": 6, "do_sample": False}
    texts = [model.generate(ids, use_cache=use, **settings) for use in (True, False)]
    assert torch.equal(*texts)
    assert texts[0].shape == (2, 12)


def test_a_static_cache_generates_the_same(family):
    model = build(family)
    ids = tokens(1, 5)
    dynamic = model.generate(ids, max_new_tokens=5, do_sample=False)
    static = model.generate(ids, max_new_tokens=5, do_sample=False, cache_implementation="static")
    assert torch.equal(dynamic, static)


@pytest.mark.parametrize("grad", ["ste", "lmul", "exact"])
def test_gradients_reach_every_parameter(family, grad):
    model = build(family, grad=grad).train()
    ids = tokens(2, 8)
    model(input_ids=ids, labels=ids).loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if "k_proj.weight" in name or "c_attn.weight" in name:
            assert parameter.grad.abs().max() > 0, name


def test_straight_through_gradients_are_those_of_the_ordinary_product():
    """One layer, loss linear in the output: with STE the value gradient is dO against L-Mul's own weights."""
    q, k, v = (torch.randn(1, 2, 5, 8, requires_grad=True) for _ in range(3))
    out, weights = paperworks.lmul.attention.attention_forward(torch.nn.Module(), q, k, v, None)
    up = torch.randn_like(out)
    (gradient,) = torch.autograd.grad((out * up).sum(), v)
    torch.testing.assert_close(gradient, weights.mT @ up.transpose(1, 2))


def test_shapes_weights_and_exact_zeros():
    q, k, v = torch.randn(2, 4, 3, 8), torch.randn(2, 2, 5, 8), torch.randn(2, 2, 5, 8)
    visible = torch.ones(2, 1, 3, 5, dtype=torch.bool)
    visible[..., 3:] = False
    module = torch.nn.Module().eval()
    out, weights = paperworks.lmul.attention.attention_forward(module, q, k, v, visible)
    assert out.shape == (2, 3, 4, 8)
    assert out.is_contiguous()
    assert weights.shape == (2, 4, 3, 5)
    assert (weights[..., 3:] == 0).all()
    huge = v.clone()
    huge[:, :, 3:] = 1e30
    assert torch.equal(paperworks.lmul.attention.attention_forward(module, q, k, huge, visible)[0], out)


def test_dropout_only_in_training():
    q = torch.randn(1, 2, 16, 8)
    module = torch.nn.Module()
    dropped = paperworks.lmul.attention.attention_forward(module.train(), q, q, q, None, dropout=0.5)[1]
    kept = paperworks.lmul.attention.attention_forward(module.eval(), q, q, q, None, dropout=0.5)[1]
    assert 0.3 < (dropped == 0).float().mean() < 0.7
    assert (kept > 0).all()


@pytest.mark.parametrize("products", list(itertools.product([(), ("qk",), ("pv",), ("qk", "pv")])))
def test_products_choose_what_becomes_lmul(products, monkeypatch):
    calls = []
    monkeypatch.setattr(paperworks.lmul.attention, "matmul", lambda a, b, **_: calls.append(b.shape) or a @ b)
    model = build("llama", products=products[0])
    logits(model, tokens(1, 5))
    assert len(calls) == 2 * len(products[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mantisa_bits": 3}, "unknown settings mantisa_bits: choose from .*mantissa_bits"),
        ({"products": ["kq"]}, "must be some of qk, pv"),
        ({"variant": "bogus"}, "carry"),
        ({"mantissa_bits": 99}, "mantissa_bits"),
    ],
)
def test_wrong_settings_in_a_hand_written_config_are_told(settings, message):
    with pytest.raises(ValueError, match=message):
        logits(build("llama", **settings), tokens(1, 3))


def test_bfloat16_models_and_autocast(family):
    model = build(family)
    ids = tokens(1, 7)
    exact = logits(model, ids)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = logits(model, ids).float()
    half = logits(model.to(torch.bfloat16), ids).float()
    for ours in (mixed, half):
        assert ours.isfinite().all()
        assert (ours - exact).std() < 0.3 * exact.std()


def test_torch_compile_agrees(family):
    model = build(family)
    del (model.transformer.h if family == "gpt2" else model.model.layers)[1:]  # one layer is enough, and quicker
    ids = tokens(1, 6)
    wanted = logits(model, ids)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(logits(compiled, ids), wanted)


@pytest.mark.parametrize("backend", ["gemm", "fused"])
def test_the_fast_formula_in_a_model_is_the_reference(family, backend):
    """Sliding windows, soft caps and grouped heads, by one GEMM of twice the length and product by product."""
    ids = tokens(2, 9)
    fast, plain = (logits(build(family, variant="formula", backend=name), ids) for name in (backend, "elementwise"))
    torch.testing.assert_close(fast, plain, rtol=0, atol=1e-4 * float(plain.abs().max()))


def test_the_soft_cap_bounds_the_scores():
    """Scores between -2 and 2, so no weight exceeds another by more than exp(4)."""
    q, k, v = 10 * torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    module = torch.nn.Module().eval()
    for softcap, bounded in ((2.0, True), (None, False)):
        weights = paperworks.lmul.attention.attention_forward(module, q, k, v, None, softcap=softcap)[1]
        assert bool((weights.amax(-1) / weights.amin(-1)).max() < 2.7183**4.001) is bounded


def test_gradient_checkpointing_changes_no_gradient():
    model = build("llama").train()
    ids = tokens(2, 6)
    gradients = []
    for turn_on in (False, True):
        if turn_on:
            getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
        model.zero_grad()
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        gradients.append(model.model.layers[0].self_attn.k_proj.weight.grad.clone())
    torch.testing.assert_close(*gradients)


def test_loading_with_the_attention_by_name(tmp_path):
    build("llama", mantissa_bits=2).save_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="lmul")
    assert model.config.lmul == {"mantissa_bits": 2}
    torch.testing.assert_close(logits(model, tokens(1, 5)), logits(build("llama", mantissa_bits=2), tokens(1, 5)))
