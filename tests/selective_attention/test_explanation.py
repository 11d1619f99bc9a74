"""Who masked whom: the data, the page as a reader has it, and the commands."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from playwright.sync_api import expect
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from paperworks.app.main import main
from paperworks.lab import tiny_lm
from paperworks.selective_attention import SelectiveCache, explain, hf, reference, selective_lm
from paperworks.selective_attention.layout import causal
from paperworks.selective_attention.models import NAME

HOSTILE = "</script><script>document.title='owned'</script>"


def test_votes_add_up_to_the_penalty_and_are_the_layers_own(build, tokens):
    model, ids = build(), tokens(12)
    explanation = explain(model, ids)
    assert [each.layer for each in explanation.layers] == [0, 1]
    assert explanation.tokens == tuple(map(str, ids.tolist()))
    heard = {}

    def listen(module, args, kwargs, output):
        heard["hidden"] = kwargs.get("hidden_states", args[0] if args else None)

    attention = model.model.layers[0].self_attn
    hook = attention.register_forward_hook(listen, with_kwargs=True)
    with torch.no_grad():
        model(ids[None])
    hook.remove()
    hidden = heard["hidden"]
    query, key = (part(hidden).unflatten(-1, (-1, 8)).transpose(1, 2) for part in (attention.q_proj, attention.k_proj))
    rotary = model.model.rotary_emb(hidden, torch.arange(12)[None])
    query, key = (rotated(each, *rotary) for each in (query, key))
    penalty, _ = reference.selection((query[:, 0] @ key[:, 0].transpose(1, 2)) * 8**-0.5, causal(12, 12))
    first = explanation.layers[0]
    torch.testing.assert_close(first.penalty.float(), penalty[0], rtol=0, atol=1e-5)
    summed = torch.nn.functional.pad(first.votes.cumsum(0), (0, 0, 1, 0))[:-1]
    torch.testing.assert_close(summed, first.penalty, rtol=0, atol=1e-9)
    assert float(first.votes.triu().abs().max()) == 0


def rotated(states, cos, sin):
    half = states.shape[-1] // 2
    turned = torch.cat([-states[..., half:], states[..., :half]], dim=-1)
    return states * cos[:, None] + turned * sin[:, None]


def test_the_strongest_votes_come_first_and_name_both_tokens(build, tokens):
    each = explain(build(), tokens(10)).layers[1]
    strongest = each.strongest(5)
    assert [vote.strength for vote in strongest] == sorted((vote.strength for vote in strongest), reverse=True)
    assert strongest[0].strength == float(each.votes.max())
    assert all(float(each.votes[vote.by, vote.on]) == vote.strength and vote.on < vote.by for vote in strongest)


def test_the_json_holds_what_is_not_zero(build, tokens):
    explanation = explain(build(), tokens(6))
    stored = json.loads(json.dumps(explanation.to_dict()))
    assert [len(row) for row in stored["layers"][0]["penalty"]] == [1, 2, 3, 4, 5, 6]
    assert stored["layers"][1]["votes"][5][2] == round(float(explanation.layers[1].votes[5, 2]), 3)


def test_what_cannot_be_explained_is_refused(build, tokens):
    model = build()
    with pytest.raises(ValueError, match="one row of 1 to 512"):
        explain(model, tokens(2, 5))
    with pytest.raises(ValueError, match="one row of 1 to 512"):
        explain(model, tokens(513))
    with pytest.raises(ValueError, match="2 texts do not fit 3 tokens"):
        explain(model, tokens(3), ["a", "b"])
    with pytest.raises(ValueError, match="no layer of this model selects"):
        explain(hf.disable(model), tokens(3))


@pytest.mark.browser
def test_the_page_reads_cell_by_cell_without_a_mouse(build, tokens, chromium, tmp_path):
    explanation = explain(build(), tokens(8), ["def", " f", "(", "x", ")", HOSTILE, "\n", " return"])
    (tmp_path / "page.html").write_text(explanation.to_html(), encoding="utf-8")
    page, wrong = chromium.new_page(viewport={"width": 390, "height": 844}), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or wrong.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    expect(page).to_have_title("Who masked whom")
    said = page.get_by_role("status")
    page.locator("#map").focus()
    for key in ("ArrowUp", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    vote, penalty = (float(getattr(explanation.layers[0], name)[6, 2]) for name in ("votes", "penalty"))
    expect(said).to_have_text(
        f"Layer 0. “⏎” (6) votes {vote:.2f} on “(” (2); the penalty on that token was {penalty:.2f} until then."
    )
    page.get_by_label("Layer").select_option("1")
    expect(said).to_contain_text(f"Layer 1. “⏎” (6) votes {float(explanation.layers[1].votes[6, 2]):.2f}")
    page.get_by_role("listbox").focus()
    page.keyboard.press("Home")
    expect(page.locator("#tokens").get_by_role("option", selected=True)).to_have_text("def")
    page.get_by_label("votes (S)").check()
    expect(said).to_contain_text("cannot see “(” (2), which comes later")
    expect(page.get_by_role("table").first).to_contain_text("strength")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.close()
    assert not wrong


@pytest.fixture
def folder(build, tmp_path):
    """A model of bytes with its tokenizer, as ``save_pretrained`` leaves them."""
    model = build()
    model.resize_token_embeddings(257)
    model.save_pretrained(tmp_path / "model")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tiny_lm.train_tokenizer(["x = 1"], 257))
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_command_writes_a_page_and_prints_the_data(folder, tmp_path, capsys):
    out = tmp_path / "pages" / "page.html"
    arguments = ["selective-attention", "explain", "--model", str(folder), "--text", "x = 12", "--out", str(out)]
    assert main(arguments) == 0
    assert f"{out}: 6 tokens, 2 layers" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == ["x", " ", "=", " ", "1", "2"]
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_a_model_the_command_shows_the_votes_of_the_one_that_is_shipped(tmp_path, capsys):
    out = tmp_path / "page.html"
    text = "def mean(values):\n    return sum(values) / len(values)\n"
    assert main(["selective-attention", "explain", "--text", text, "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "".join(found["tokens"]) == text
    assert len(found["layers"]) == selective_lm.RECIPE.layers
    assert max(max(row) for layer in found["layers"] for row in layer["votes"]) > 1  # it has learnt to mask


def test_the_shipped_model_is_that_of_its_recipe_and_beats_a_5_gram():
    lm = selective_lm.load()
    results = json.loads((selective_lm.SHIPPED / tiny_lm.RECORD).read_text())["results"]
    assert lm.recipe == selective_lm.RECIPE
    assert lm.model.config._attn_implementation == NAME
    for split in ("validation", "test"):
        model, grams = (results[f"{name} on {split}"]["bits_per_byte"] for name in ("model", "5-gram"))
        assert model < grams
    stream = lm.stream("validation")[:2000]
    assert tiny_lm.evaluate(lm.model, stream, lm.sizes).bits_per_byte < 2.5


def test_a_damaged_weight_is_one_sentence(tmp_path, monkeypatch, capsys):
    shutil.copytree(selective_lm.SHIPPED, tmp_path / "lm")
    weights = tmp_path / "lm" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    monkeypatch.setattr(selective_lm, "SHIPPED", tmp_path / "lm")
    assert main(["selective-attention", "explain", "--text", "x", "--out", str(tmp_path / "page.html")]) == 2
    assert "is damaged or absent" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_the_command_finds_budgets_and_leaves_them_in_the_folder(folder, tmp_path, capsys):
    (tmp_path / "text.py").write_text("total = price * number\n" * 20, encoding="utf-8")
    before = json.loads((folder / "config.json").read_text())
    sizes = ["--context", "24", "--sequences", "4", "--step", "4", "--rise", "0.2"]
    given = ["selective-attention", "budgets", "--model", str(folder), "--text", str(tmp_path / "text.py"), *sizes]
    assert main([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["loss"] <= found["loss_unpruned"] + 0.2
    after = json.loads((folder / "config.json").read_text())
    kept = [budget if budget < 24 else None for budget in found["budgets"]]
    assert after.pop("selective_attention") == before.pop("selective_attention") | {"budgets": kept}
    assert after == before
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert [layer.budget for layer in SelectiveCache(loaded).layers] == kept
    assert main(given) == 0
    assert "times smaller" in capsys.readouterr().out


@pytest.mark.parametrize(("text", "count"), [("", 0), ("x = 1\n" * 52, 260)])
def test_a_text_that_no_page_holds_is_one_sentence(text, count, tmp_path, capsys):
    assert main(["selective-attention", "explain", "--text", text, "--out", str(tmp_path / "page.html")]) == 2
    assert f"--text has {count} tokens: give 1 to 256, as many as model and page hold" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "page.html"
    assert main(["selective-attention", "explain", "--text", "x", "--out", str(out)]) == 2
    assert f"{out} cannot be written: " in capsys.readouterr().err


@pytest.mark.parametrize("command", ["explain", "budgets"])
def test_a_model_without_selective_attention_is_one_sentence(command, folder, capsys):
    hf.disable(AutoModelForCausalLM.from_pretrained(folder)).save_pretrained(folder)
    more = ["--text", "x"] if command == "explain" else []
    assert main(["selective-attention", command, "--model", str(folder), *more]) == 2
    assert "has no selective attention: train it after hf.enable(model)" in capsys.readouterr().err


def test_what_the_commands_cannot_read_is_one_sentence(folder, tmp_path, capsys):
    command = ["selective-attention", "budgets", "--model"]
    assert main([*command, str(tmp_path / "nowhere")]) == 2
    assert "nowhere' is no folder: give one that save_pretrained has written" in capsys.readouterr().err
    assert main([*command, str(tmp_path)]) == 2
    assert "is no causal language model with a tokenizer" in capsys.readouterr().err
    assert main([*command, str(folder), "--context", "65"]) == 2
    assert "--context 65 is more than the model's 64 positions" in capsys.readouterr().err
    (tmp_path / "short.txt").write_text("x", encoding="utf-8")
    assert main([*command, str(folder), "--context", "32", "--text", str(tmp_path / "short.txt")]) == 2
    assert "the text has 1 tokens, fewer than 16 sequences of 32" in capsys.readouterr().err
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe")
    assert main([*command, str(folder), "--context", "32", "--text", str(tmp_path / "bytes.txt")]) == 2
    assert "cannot be read as UTF-8" in capsys.readouterr().err
