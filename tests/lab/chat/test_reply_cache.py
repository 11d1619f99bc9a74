"""A question is asked once; what the disk did to its answer is noticed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from paperworks.lab.chat import Chat, ChatError, Request, Sampling, Scripted, user
from paperworks.lab.chat.cache import ReplyCache

pytestmark = pytest.mark.anyio
DRAWN = Sampling(temperature=0.8)


def counting() -> Scripted:
    """A script whose answers tell how many questions there were."""
    script = Scripted(lambda _: f"This is answer {len(script.asked)}.")
    return script


@pytest.fixture
def chat(tmp_path):
    return Chat(counting(), cache=tmp_path)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.json"))


async def test_the_same_question_is_asked_once_by_all_who_share_the_folder(chat, tmp_path):
    first = await chat.ask("Why?")
    again = await chat.ask(user("Why?"))
    assert again == replace(first, cached=True)
    other = Chat(counting(), cache=tmp_path)
    assert (await other.ask("Why?")).cached
    assert (len(chat.backend.asked), other.backend.asked) == (1, [])
    assert (chat.budget.spent.calls, chat.budget.spent.cached) == (1, 1)
    assert other.budget.spent.usage.total == 0


@pytest.mark.parametrize(
    ("question", "sampling"),
    [
        ("How?", Sampling()),
        ([user("Why?"), user("Why?")], Sampling()),
        (user("Why?", b"GIF89a"), Sampling()),
        ("Why?", Sampling(max_tokens=9)),
        ("Why?", Sampling(stop=("END",))),
        ("Why?", Sampling(seed=0)),
        ("Why?", Sampling(sample=0)),
    ],
)
async def test_another_question_is_asked(chat, question, sampling):
    await chat.ask("Why?")
    assert not (await chat.ask(question, sampling)).cached


async def test_another_model_is_asked(chat, tmp_path):
    await chat.ask("Why?")
    assert not (await Chat(Scripted(["No."], model="other"), cache=tmp_path).ask("Why?")).cached


async def test_an_answer_that_was_drawn_is_kept_only_where_the_draw_is_named(chat, tmp_path):
    assert (await chat.ask("Why?", DRAWN)).text != (await chat.ask("Why?", DRAWN)).text
    assert not entries(tmp_path)
    for named in (replace(DRAWN, seed=1), replace(DRAWN, sample=1), replace(DRAWN, sample=2)):
        first = await chat.ask("Why?", named)
        assert (await chat.ask("Why?", named)).text == first.text
    assert len(entries(tmp_path)) == 3


async def test_equal_questions_at_the_same_time_are_asked_once(chat):
    replies = await chat.ask_all(["Why?", "How?", "Why?", "Why?"])
    assert len(chat.backend.asked) == 2
    assert len({reply.text for reply in replies}) == 2
    assert [reply.cached for reply in replies] == [False, False, True, True]


async def test_where_the_first_of_equal_questions_fails_the_next_is_asked(tmp_path):
    chat = Chat(Scripted([ChatError("no"), "Because."]), cache=tmp_path)
    first, second = await asyncio.gather(chat.ask("Why?"), chat.ask("Why?"), return_exceptions=True)
    assert isinstance(first, ChatError)
    assert second.text == "Because."


def truncated(data: bytes) -> bytes:
    return data[:-10]


def with_a_flipped_bit(data: bytes) -> bytes:
    at = data.index(b"answer ")
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def with_more_tokens(data: bytes) -> bytes:
    entry = json.loads(data)
    entry["reply"]["usage"]["prompt_tokens"] += 1
    return json.dumps(entry).encode()


@pytest.mark.parametrize(
    "damage",
    [truncated, with_a_flipped_bit, with_more_tokens]
    + [
        lambda data, wrong=wrong: wrong for wrong in (b"", b"{}", b"[]", b"null", b"\xff", b'{"reply": 1, "sha256": 2}')
    ],
)
async def test_a_damaged_entry_is_asked_again_and_replaced(chat, tmp_path, caplog, damage):
    await chat.ask("Why?")
    (entry,) = entries(tmp_path)
    entry.write_bytes(damage(entry.read_bytes()))
    assert (await chat.ask("Why?")).text == "This is answer 2."
    assert "is damaged" in caplog.text
    assert (await chat.ask("Why?")).text == "This is answer 2."
    assert len(chat.backend.asked) == 2


async def test_an_answer_put_in_the_place_of_another_is_noticed(chat, tmp_path, caplog):
    await chat.ask("Why?")
    (why,) = entries(tmp_path)
    await chat.ask("How?")
    (how,) = set(entries(tmp_path)) - {why}
    how.write_bytes(why.read_bytes())
    assert (await chat.ask("How?")).text == "This is answer 3."
    assert "is damaged" in caplog.text


async def test_an_answer_is_not_lost_where_the_disk_does_not_take_it(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    chat = Chat(counting(), cache=tmp_path / "file")
    assert (await chat.ask("Why?")).text == "This is answer 1."
    assert "could not be kept" in caplog.text


async def test_failures_are_not_kept(tmp_path):
    chat = Chat(Scripted([ChatError("no"), "Because."]), cache=tmp_path)
    with pytest.raises(ChatError):
        await chat.ask("Why?")
    assert not entries(tmp_path)
    assert (await chat.ask("Why?")).text == "Because."


async def streamed(chat: Chat) -> tuple[list[str], bool]:
    async with chat.stream("Why?") as pieces:
        return [piece async for piece in pieces], pieces.reply.cached


async def test_a_kept_answer_streams_in_the_pieces_it_came_in(chat):
    pieces, cached = await streamed(chat)
    assert (pieces, cached) == (["This ", "is ", "answer ", "1."], False)
    assert await streamed(chat) == (pieces, True)
    assert (await chat.ask("Why?")).cached, "and is the answer to the question asked without streaming"


async def test_a_stream_that_was_left_is_not_kept(chat, tmp_path):
    async with chat.stream("Why?") as pieces:
        assert await anext(pieces) == "This "
    assert not entries(tmp_path)


ASK_MANY = """
import pathlib, sys
from paperworks.lab.chat import Chat, Scripted
script = Scripted(lambda request: request.messages[0].text * 50)
replies = Chat(script, cache=pathlib.Path(sys.argv[1])).blocking.ask_all([f"{number} " for number in range(20)])
assert [reply.text for reply in replies] == [f"{number} " * 50 for number in range(20)]
"""


async def test_processes_may_share_a_folder(tmp_path):
    processes = [subprocess.Popen([sys.executable, "-c", ASK_MANY, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    chat = Chat(Scripted([]), cache=tmp_path)
    assert (await chat.ask("7 ")).text == "7 " * 50


async def test_a_key_is_the_same_in_every_run(tmp_path):
    cache = ReplyCache(tmp_path)
    keys = {cache.key(order, Request(messages=(user("Why?"),))) for order in ({"a": 1, "b": 2}, {"b": 2, "a": 1})}
    assert keys == {"7a9ee3d0ac268e575d0c89c53efa54cedbafc4a097d71c210a53523115fe825c"}
