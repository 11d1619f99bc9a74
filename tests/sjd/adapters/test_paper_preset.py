"""The paper preset with local stand-ins for what the hub brings: models of the papers' classes, and captions."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from paperworks.core import UserError, paper
from paperworks.lab import Lab
from paperworks.sjd import hub_claims, hub_models
from paperworks.sjd.drawing import FAST, PLAIN
from paperworks.sjd.hub_claims import HubSizes
from paperworks.sjd.hub_models import ANOLE, EMU3, LUMINA, PARTI, Captions

pytestmark = pytest.mark.usefixtures("own_datasets_cache")


def _saved(model, folder, special):
    """``model`` and a tokenizer of 30 words, ``special`` ones by their ids, as a folder of the hub's form."""
    names = {i: f"w{i}" for i in range(30)} | {1: "draw", 2: "a"} | special
    tokenizer = Tokenizer(models.WordLevel({name: i for i, name in names.items()}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=list(special.values()))
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def anole(chameleon, tmp_path_factory):
    folder = _saved(chameleon, tmp_path_factory.mktemp("anole"), {})
    return replace(ANOLE, id=folder, prompt="draw {caption}", height=3, width=4, top_k=6, begin=(25,), codes=(4, 19))


@pytest.fixture(scope="module")
def lumina(anole):
    layout = {"line_end": 22, "image_end": (23,), "begin": (25, "w26"), "guidance": 3.0}
    return replace(anole, says="Lumina", **layout)


@pytest.fixture(scope="module")
def emu(emu3, tmp_path_factory):
    words = {22: "<|extra_200|>", 23: "<|extra_201|>", 24: "<|image end|>", 25: "<|extra_204|>", 26: "<|image token|>"}
    folder = _saved(emu3, tmp_path_factory.mktemp("emu3"), words)
    return replace(EMU3, id=folder, prompt="{caption}<|image token|>", height=2, width=4, top_k=8)


@pytest.fixture(scope="module")
def captions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions")
    rows = [{"Prompt": f"a w{n}", "captions": [f"a w{n}", "another"]} for n in (27, 28, 29, 20, 21)]
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return Captions(says="stand-ins", dataset=str(folder), split="train", column="captions")


def test_captions_are_the_first_of_their_rows(captions):
    assert hub_models.read_captions(captions, 2) == ["a w27", "a w28"]
    assert hub_models.read_captions(replace(captions, column="Prompt"), 3) == ["a w27", "a w28", "a w29"]


@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_had_is_one_sentence(captions, anole, tmp_path):
    with pytest.raises(UserError, match=r"the captions of stand-ins .* cannot be had"):
        hub_models.read_captions(replace(captions, column="words"), 1)
    with pytest.raises(UserError, match=r"Anole 7B .* cannot be had"):
        hub_models.passes_and_seconds(
            seed=0, model=replace(anole, id=str(tmp_path)), captions=("a",), way=PLAIN, device="cpu"
        )


@pytest.mark.parametrize("name", ["anole", "lumina", "emu"])
def test_every_model_draws_its_layout_in_fewer_passes(name, request):
    model = request.getfixturevalue(name)
    studio = hub_models._studio(model, "cpu")
    forced = {22, 23, 24, 25} if name == "emu" else {22, 23} if name == "lumina" else set()
    assert set(studio.grid.forced(torch.arange(studio.grid.tokens)).tolist()) == {-1} | forced
    assert studio.codes == list(range(4, 20))
    passes = {
        way: hub_models.passes_and_seconds(seed=1, model=model, captions=("a", "a w27"), way=way, device="cpu")[0]
        for way in (PLAIN, FAST)
    }
    assert passes[PLAIN] == studio.grid.tokens
    assert passes[FAST] < passes[PLAIN]


def test_every_claim_of_a_published_model_gets_its_numbers(anole, lumina, emu, captions, tmp_path):
    subjects = (("C1", lumina, captions), ("C4", lumina, captions), ("C5", emu, captions), ("C6", anole, captions))
    lab = Lab("sjd", home=tmp_path)
    results = {result.claim: result for result in hub_claims.claims(lab, HubSizes(pictures=5, subjects=subjects))}
    assert set(results) == {"C1", "C2", "C4", "C5", "C6"}
    for claim, result in results.items():
        assert paper("sjd").claim(claim).judge
        assert result.scale == "same"
        rows = {row["scheme"]: row for row in result.rows}
        key = "times faster" if claim == "C2" else "times fewer passes"
        assert result.value == pytest.approx(rows["the paper's, window 16"][key])
    assert {row["passes"] for row in results["C6"].rows if row["scheme"] == "plain"} == {12.0}


def test_the_preset_names_the_papers_models_and_layouts():
    subjects = {claim: (model, captions) for claim, model, captions in hub_claims.PAPERS_MODELS.subjects}
    assert subjects["C4"] == (LUMINA, PARTI)
    assert (LUMINA.top_k, LUMINA.guidance, EMU3.top_k, EMU3.guidance) == (2000, 3.0, 2048, 3.0)
    assert (LUMINA.height * (LUMINA.width + 1), EMU3.height) == (48 * 49, 90)
