"""A transformers model on this machine: random weights, real architectures, a tokenizer of bytes."""

from __future__ import annotations

import asyncio
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from paperworks.lab.chat import Budget, Chat, Local, MalformedAnswer, Sampling, assistant, system, user
from paperworks.lab.chat.local import GumbelNoise
from paperworks.lab.chat.stop_strings import StopStrings

pytestmark = pytest.mark.anyio

TEMPLATE = (
    "{% for turn in messages %}<{{ turn.role }}>{% if turn.content is string %}{{ turn.content }}{% else %}"
    "{% for part in turn.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
SPECIALS = ["<end>", "<system>", "<user>", "<assistant>", "<image>"]
END = 256


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Every byte is a token, 0 to 255, and the special ones come after them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({sign: number for number, sign in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIALS)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")
    fast.chat_template = TEMPLATE
    return fast


def small_llama(**changes) -> LlamaConfig:
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"vocab_size": 256 + len(SPECIALS), "eos_token_id": END, "bos_token_id": END, "pad_token_id": END}
    return LlamaConfig(**shape, **ids, max_position_embeddings=256, **changes)


@pytest.fixture(scope="module")
def llama() -> LlamaForCausalLM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(small_llama()).eval()
    # Only printable letters can be written, so that tokens and letters are one for one; <end> is unlikely.
    model.lm_head.bias = torch.nn.Parameter(torch.full((model.config.vocab_size,), -1e4))
    letters = byte_tokenizer()("abcdefghijklmnopqrstuvwxyz ").input_ids
    model.lm_head.bias.data[letters] = 0.0
    model.lm_head.bias.data[END] = -3.0
    return model


@pytest.fixture
def local(llama) -> Local:
    return Local(llama, byte_tokenizer(), name="tiny", max_tokens=24)


@pytest.fixture
def chat(local) -> Chat:
    return Chat(local)


def by_hand(llama, prompt: str, count: int) -> str:
    """The likeliest continuation, token by token, without generate."""
    tokenizer = byte_tokenizer()
    ids = tokenizer(prompt).input_ids
    begin = len(ids)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(llama(torch.tensor([ids])).logits[0, -1].argmax()))
            if ids[-1] == END:
                break
    return tokenizer.decode(ids[begin:], skip_special_tokens=True)


async def test_the_answer_is_the_models_own_continuation_of_the_template(chat, llama):
    talk = [system("Be brief."), user("Why?"), assistant("because"), user("really?")]
    prompt = "<system>Be brief.<end><user>Why?<end><assistant>because<end><user>really?<end><assistant>"
    reply = await chat.ask(talk, Sampling(max_tokens=12))
    assert reply.text == by_hand(llama, prompt, 12)
    assert reply.model == "tiny"


async def test_tokens_are_counted_and_not_guessed(chat):
    reply = await chat.ask("Why?", Sampling(max_tokens=10))
    assert reply.finish == "length"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (len("Why?") + 3, 10)
    assert not reply.usage.estimated
    assert len(reply.text) == 10
    assert chat.budget.spent.usage == reply.usage


async def test_it_streams_what_it_answers(chat):
    sampling = Sampling(temperature=1.0, seed=5)
    async with chat.stream("Why?", sampling) as pieces:
        got = [piece async for piece in pieces]
        reply = pieces.reply
    assert len(got) > 1
    assert "".join(got) == reply.text == (await chat.ask("Why?", sampling)).text


async def test_equal_seeds_give_equal_answers_and_the_global_generator_is_left_alone(chat):
    state = torch.random.get_rng_state()
    texts = [(await chat.ask("Why?", Sampling(temperature=1.0, seed=seed))).text for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    named = [(await chat.ask("Why?", Sampling(temperature=1.0, sample=sample))).text for sample in (1, 1, 2)]
    assert named[0] == named[1] != named[2]
    free = {(await chat.ask("Why?", Sampling(temperature=1.0))).text for _ in range(3)}
    assert len(free) == 3
    assert torch.equal(state, torch.random.get_rng_state())


def test_adding_the_noise_and_taking_the_largest_samples_from_the_softmax():
    scores = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05, 0.0]]))
    noise = GumbelNoise(seed=0)
    count = 20_000
    drawn = Counter(int(noise(torch.zeros(1, 1), scores).argmax()) for _ in range(count))
    shares = np.array([drawn[index] / count for index in range(5)])
    expected = np.array([0.5, 0.3, 0.15, 0.05, 0.0])
    assert drawn[4] == 0
    assert np.all(np.abs(shares - expected) < 4 * np.sqrt(expected * (1 - expected) / count) + 1e-12)


async def test_a_small_top_p_leaves_the_likeliest(chat):
    drawn = Sampling(temperature=1.0, top_p=1e-6, seed=3, max_tokens=8)
    assert (await chat.ask("Why?", drawn)).text == (await chat.ask("Why?", Sampling(max_tokens=8))).text


async def test_a_stop_string_ends_the_answer_without_it(chat):
    whole = (await chat.ask("Why?", Sampling(temperature=1.0, seed=1))).text
    stop = whole[6:9]
    end = whole.index(stop)
    reply = await chat.ask("Why?", Sampling(temperature=1.0, seed=1, stop=("NEVER", stop)))
    assert (reply.text, reply.finish) == (whole[:end], "stop")
    assert reply.usage.completion_tokens >= end + len(stop)


async def test_the_end_token_ends_the_answer(chat):
    replies = [await chat.ask("Why?", Sampling(temperature=2.0, seed=seed)) for seed in range(12)]
    ended = [reply for reply in replies if reply.finish == "stop"]
    assert ended, "with this bias one in a few answers ends before its 24 tokens"
    for reply in ended:
        assert reply.usage.completion_tokens == len(reply.text) + 1
        assert "<end>" not in reply.text


async def test_leaving_a_stream_ends_the_making(llama):
    chat = Chat(Local(llama, byte_tokenizer(), max_tokens=240), concurrency=1)
    made = 0

    def count(*_) -> None:
        nonlocal made
        made += 1

    async def is_long(sampling: Sampling) -> bool:
        return (await chat.ask("Why?", sampling)).finish == "length"

    drawn = [Sampling(temperature=1.0, seed=seed) for seed in range(10)]
    sampling = [one for one in drawn if await is_long(one)][0]  # noqa: RUF015  (next takes no asynchronous generator)
    hook = llama.register_forward_hook(count)
    try:
        async with chat.stream("Why?", sampling) as pieces:
            await anext(pieces)
        await chat.ask("How?", Sampling(max_tokens=1))  # waits in the same thread until the other has ended
    finally:
        hook.remove()
    assert made < 240


async def test_questions_wait_for_each_other(chat):
    sampling = [Sampling(temperature=1.0, seed=seed, max_tokens=5) for seed in range(4)]
    alone = [(await chat.ask("Why?", one)).text for one in sampling]
    together = await asyncio.gather(*(chat.ask("Why?", one) for one in sampling))
    assert [reply.text for reply in together] == alone


async def test_a_conversation_that_is_too_long_is_refused_and_the_next_is_answered(chat):
    with pytest.raises(ValueError, match="the conversation has 303 tokens, and tiny takes 256 with its answer"):
        await chat.ask("x" * 300)
    reply = await chat.ask("x" * 250)
    assert (reply.usage.completion_tokens, reply.finish) == (3, "length")


async def test_images_need_a_model_that_sees(chat):
    with pytest.raises(ValueError, match="tiny takes no images"):
        await chat.ask(user("What is this?", Pillow.new("RGB", (8, 8))))


async def test_it_is_asked_for_a_form_in_words(chat):
    with pytest.raises(MalformedAnswer, match=r"tiny did not give the form .* cut at max_tokens"):
        await chat.ask_for({"type": "object"}, "?", sampling=Sampling(max_tokens=2))
    assert chat.budget.spent.calls == 2


async def test_answers_are_kept_by_the_weights(llama, tmp_path):
    chat = Chat(Local(llama, byte_tokenizer(), name="tiny"), cache=tmp_path)
    first = await chat.ask("Why?", Sampling(max_tokens=4))
    same = Chat(Local(llama, byte_tokenizer(), name="tiny"), cache=tmp_path)
    assert (await same.ask("Why?", Sampling(max_tokens=4))).cached
    before = llama.lm_head.bias[0].item()
    try:
        llama.lm_head.bias.data[0] = before + 1.0
        changed = Chat(Local(llama, byte_tokenizer(), name="tiny"), cache=tmp_path)
        assert not (await changed.ask("Why?", Sampling(max_tokens=4))).cached
    finally:
        llama.lm_head.bias.data[0] = before
    assert not first.cached


async def test_a_budget_counts_local_tokens_too(llama):
    chat = Chat(Local(llama, byte_tokenizer(), name="tiny"), budget=Budget(tokens=10_000))
    await chat.ask("Why?", Sampling(max_tokens=4))
    assert chat.budget.spent.usage.total == 11


async def test_settings_without_sense_are_refused(llama):
    plain = byte_tokenizer()
    plain.chat_template = None
    with pytest.raises(ValueError, match="no chat template"):
        Local(llama, plain)
    with pytest.raises(ValueError, match="max_tokens is at least 1"):
        Local(llama, byte_tokenizer(), max_tokens=0)


async def test_a_folder_is_loaded_by_its_architecture(tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = LlamaForCausalLM(small_llama()).eval()
    model.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    loaded = Chat(Local.load(str(tmp_path), device="cpu"))
    sampling = Sampling(max_tokens=6)
    assert (await loaded.ask("Why?", sampling)).text == (
        await Chat(Local(model, byte_tokenizer())).ask("Why?", sampling)
    ).text


@pytest.fixture(scope="module")
def llava():
    """A model that sees: 16 patches of 8 x 8 pixels an image."""
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = CLIPVisionConfig(**shape, image_size=32, patch_size=8, projection_dim=32)
    config = LlavaConfig(
        vision_config=vision, text_config=small_llama(), image_token_index=260, vision_feature_layer=-1
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(config).eval()
    size = {"height": 32, "width": 32}
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size)
    tokenizer = byte_tokenizer()
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
        image_token="<image>",
    )
    return model, processor


def shade(value: int) -> Pillow.Image:
    return Pillow.fromarray(np.full((40, 48, 3), value, np.uint8))


async def test_a_model_that_sees_is_given_the_pixels(llava):
    chat = Chat(Local(*llava, name="seeing"))
    sampling = Sampling(max_tokens=8)
    replies = [await chat.ask(user("What is this?", shade(value)), sampling) for value in (0, 255, 0)]
    text = await chat.ask("What is this?", sampling)
    assert replies[0].usage.prompt_tokens == text.usage.prompt_tokens + 16
    assert replies[0].text == replies[2].text != replies[1].text


async def test_a_model_that_sees_takes_several_images_and_loads_from_a_folder(llava, tmp_path):
    model, processor = llava
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    question = user("Which is darker?", shade(0), "or", shade(255))
    sampling = Sampling(max_tokens=5)
    loaded = Chat(Local.load(str(tmp_path), device="cpu"))
    reply = await loaded.ask(question, sampling)
    assert reply.usage.prompt_tokens == len("Which is darker?") + len("or") + 2 * 16 + 3
    assert reply.text == (await Chat(Local(model, processor)).ask(question, sampling)).text


@pytest.mark.parametrize(
    ("pieces", "stop", "kept", "found"),
    [
        (["abc", "def"], ["cd"], "ab", True),
        (["a", "b", "c", "d"], ["cx", "d"], "abc", True),
        (["aab"], ["ab"], "a", True),
        (["aa", "ab"], ["aab"], "a", True),
        (["STO", "P"], ["STOP"], "", True),
        (["STO", "RM"], ["STOP"], "STORM", False),
        (["ab"], ["b", "ab"], "", True),
        (["one"], [], "one", False),
        (["STO"], ["STOP"], "STO", False),
    ],
)
def test_stop_strings_are_found_across_pieces(pieces, stop, kept, found):
    strings = StopStrings(stop)
    text = "".join(strings.feed(piece) for piece in pieces) + strings.rest()
    assert (text, strings.found) == (kept, found)
