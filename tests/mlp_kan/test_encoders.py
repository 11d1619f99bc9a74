"""Blocks and the transformers made of them: shapes, masks, and settings that do what they say."""

from __future__ import annotations

import pytest
import torch

from paperworks.mlp_kan import MLPKAN, EncoderConfig, MlpKanBlock, TextEncoder, VisionTransformer, create_vit

CONFIG = {"dim": 8, "depth": 2, "heads": 2, "hidden": 8, "num_experts": 4}


def _images(**settings):
    torch.manual_seed(0)
    return VisionTransformer(EncoderConfig(**{**CONFIG, **settings}), image_size=8, patch_size=4, classes=3)


def _text(**settings):
    torch.manual_seed(0)
    return TextEncoder(EncoderConfig(**{**CONFIG, **settings}), vocabulary=20, longest=9)


@pytest.mark.parametrize("biased", [True, False])
def test_the_block_keeps_its_input_where_both_branches_are_silent(biased):
    feed_forward = MLPKAN(6, hidden=8, num_experts=4, dropout=0.0)
    block = MlpKanBlock(6, heads=2, feed_forward=feed_forward, attention_bias=biased)
    for parameter in [*block.attention.parameters(), *block.feed_forward.parameters()]:
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 5, 6)
    torch.testing.assert_close(block(x), x)


def test_a_block_is_its_equation():
    torch.manual_seed(0)
    block = MlpKanBlock(6, heads=1, feed_forward=torch.nn.Tanh())
    x, attention = torch.randn(2, 5, 6), block.attention
    query, key, value = torch.nn.functional.linear(
        block.norm_attention(x), attention.in_proj_weight, attention.in_proj_bias
    ).chunk(3, dim=-1)
    seen = attention.out_proj((query @ key.mT / 6**0.5).softmax(dim=-1) @ value)
    wanted = x + seen
    wanted = wanted + torch.tanh(block.norm_feed_forward(wanted))
    torch.testing.assert_close(block(x), wanted)


def test_images_become_logits_and_every_part_learns():
    model, images = _images(), torch.randn(5, 3, 8, 8)
    logits = model(images)
    assert logits.shape == (5, 3)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0, 1])).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    model.eval()
    torch.testing.assert_close(model(images)[1:3], model(images[1:3]))


def test_what_fills_a_row_up_changes_nothing_and_order_counts():
    model = _text().eval()
    row = torch.tensor([[3, 1, 4, 1, 5]])
    filled = torch.tensor([[3, 1, 4, 1, 5, 9, 9]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 0, 0]])
    states = model(row)
    assert states.shape == (1, 5, 8)
    torch.testing.assert_close(model(filled, mask)[:, :5], states, atol=1e-5, rtol=0)
    assert not torch.allclose(model(filled)[:, :5], states, atol=1e-3)
    assert not torch.allclose(model(row.flip(1)).flip(1), states, atol=1e-3)


def test_both_directions_are_seen():
    model = _text().eval()
    row, other = torch.tensor([[3, 1, 4, 1, 5]]), torch.tensor([[3, 1, 4, 1, 6]])
    assert (model(row) - model(other)).abs().amax(dim=-1).min() > 1e-6


def test_settings_reach_their_places_though_the_official_code_ignores_three_of_them():
    model = _images(norm_eps=0.5, attention_bias=False, drop_path=0.4, depth=3)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert {norm.eps for norm in norms} == {0.5}
    blocks = model.stack.blocks
    assert all(block.attention.in_proj_bias is None for block in blocks)
    assert [block.drop_path for block in blocks] == pytest.approx([0.0, 0.2, 0.4])


def test_a_share_of_the_rows_skips_a_branch_while_training_only():
    torch.manual_seed(0)
    block = MlpKanBlock(6, heads=1, feed_forward=torch.nn.Identity(), drop_path=0.25)
    kept = block._kept(torch.ones(4000, 1, 6))
    assert kept.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert kept.mean().item() == pytest.approx(1, abs=0.05)
    block.eval()
    assert block._kept(torch.ones(9, 1, 6)).eq(1).all()


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="multiple of the 3 heads"):
        EncoderConfig(dim=8, heads=3)
    with pytest.raises(ValueError, match="at least 1 block"):
        EncoderConfig(depth=0)
    with pytest.raises(ValueError, match="below 1"):
        EncoderConfig(drop_path=1.0)
    with pytest.raises(ValueError, match="cannot be divided"):
        VisionTransformer(EncoderConfig(), image_size=9, patch_size=4, classes=2)
    with pytest.raises(ValueError, match=r"takes \(3, 8, 8\)"):
        _images()(torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="at most 9"):
        _text()(torch.zeros(1, 10, dtype=torch.long))


@pytest.mark.parametrize(("name", "dim", "heads"), [("tiny", 192, 3), ("small", 384, 6), ("base", 768, 12)])
def test_the_papers_networks_have_their_sizes(name, dim, heads):
    with torch.device("meta"):
        network = create_vit(f"mlpkan_deit_{name}", num_experts=4)
    blocks = network.stack.blocks
    assert len(blocks) == 12
    assert network.patches.weight.shape == (dim, 3, 16, 16)
    assert {block.attention.num_heads for block in blocks} == {heads}
    assert {block.feed_forward.mixture.experts.count for block in blocks} == {4}
    assert network.places.shape == (1, 197, dim)


def test_another_name_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="none of mlpkan_deit_tiny, mlpkan_deit_small, mlpkan_deit_base"):
        create_vit("vit_huge")


def test_a_created_network_classifies_images_of_its_size():
    network = create_vit("mlpkan_deit_tiny", image_size=32, patch_size=16, classes=5, depth=1, hidden=8)
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 5)


@pytest.mark.parametrize("make", [_images, _text, lambda: create_vit("mlpkan_deit_tiny", depth=1, hidden=8)])
def test_what_is_saved_answers_the_same_when_it_is_loaded(make, tmp_path):
    model, again = make().eval(), make()
    for parameter in again.parameters():
        torch.nn.init.constant_(parameter, 0.5)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    again.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    inputs = torch.arange(5)[None] if isinstance(model, TextEncoder) else torch.randn(1, *model.image_shape)
    torch.testing.assert_close(again.eval()(inputs), model(inputs), rtol=0, atol=0)
