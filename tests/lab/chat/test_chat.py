"""Streams, many questions at once, scripts, and the front for code without asyncio."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from paperworks.lab.chat import Chat, ChatError, Refused, Retry, Sampling, Scripted, Usage, user

pytestmark = pytest.mark.anyio
PASSING = ChatError("not now", retriable=True)


async def test_a_stream_hands_on_the_words_and_then_the_whole():
    chat = Chat(Scripted(["Because it is so."]))
    async with chat.stream("Why?") as pieces:
        assert [piece async for piece in pieces] == ["Because ", "it ", "is ", "so."]
        assert pieces.reply.text == "Because it is so."
        assert chat.budget.spent.usage == pieces.reply.usage, "the account is settled when the stream has ended"
        assert [piece async for piece in pieces] == [], "an ended stream stays so"


async def test_a_stream_is_begun_anew_only_before_its_first_word(impatient, pauses):
    chat = Chat(Scripted([PASSING, PASSING, "Because."]), retry=impatient)
    async with chat.stream("Why?") as pieces:
        assert [piece async for piece in pieces] == ["Because."]
    assert pauses == [0.5, 1.0]


async def test_questions_bring_their_own_sampling_or_take_the_chats():
    chat = Chat(Scripted(["a", "b"]), sampling=Sampling(max_tokens=5))
    await chat.ask("Why?")
    await chat.ask("Why?", Sampling(temperature=1.0))
    assert [asked.sampling for asked in chat.backend.asked] == [Sampling(max_tokens=5), Sampling(temperature=1.0)]


async def test_many_answers_come_in_the_order_of_their_questions():
    told = []
    chat = Chat(Scripted(lambda request: request.messages[0].text.upper()))
    replies = await chat.ask_all("abc", progress=lambda *report: told.append(report))
    assert [reply.text for reply in replies] == ["A", "B", "C"]
    assert told == [("answers", 1, 3), ("answers", 2, 3), ("answers", 3, 3)]
    assert await chat.ask_all([]) == []


async def test_a_refusal_among_many_answers_stands_in_its_place():
    chat = Chat(Scripted(["A", Refused("not that"), "C"]), concurrency=1)
    first, second, third = await chat.ask_all("abc")
    assert (first.text, str(second), third.text) == ("A", "not that", "C")


async def test_the_first_failure_ends_the_others_and_what_was_answered_is_kept(tmp_path):
    class Broken(Scripted):
        async def complete(self, request):
            if request.messages[0].text == "c":
                raise ChatError("no")
            if request.messages[0].text == "d":
                await asyncio.Event().wait()
            return await super().complete(request)

    chat = Chat(Broken(["A", "B"]), cache=tmp_path)
    await chat.ask_all(["a", "b"])
    running = asyncio.all_tasks()
    with pytest.raises(ChatError, match="no"):
        await chat.ask_all(["a", "b", "c", "d"])
    assert asyncio.all_tasks() <= running, "the question that had no answer yet was given up"
    assert [reply.cached for reply in await chat.ask_all(["a", "b"])] == [True, True]
    assert len(chat.backend.asked) == 2


async def test_a_script_gives_its_answers_in_turn_and_keeps_what_it_was_asked():
    script = Scripted(["One.", ChatError("no"), "Three."])
    chat = Chat(script)
    assert (await chat.ask("1?")).text == "One."
    with pytest.raises(ChatError, match=r"^no$"):
        await chat.ask("2?")
    assert (await chat.ask("3?")).text == "Three."
    with pytest.raises(ChatError, match="the script has 3 answers, and this is question 4"):
        await chat.ask("4?")
    assert [request.messages[0].text for request in script.asked] == ["1?", "2?", "3?", "4?"]


async def test_a_script_may_be_a_function_and_is_no_bare_text():
    script = Scripted(lambda request: str(len(request.messages)))
    assert (await Chat(script).ask([user("a"), user("b")])).text == "2"
    with pytest.raises(TypeError, match=r"for one text write \[text\]"):
        Scripted("Because.")


@pytest.mark.parametrize("text", ["", " ", "one", " two  words\n", "\n\nthree\tmore words "])
async def test_the_pieces_of_a_script_make_its_text(text):
    reply = await Chat(Scripted([text])).ask("Why?")
    assert (reply.text, "" in reply.pieces) == (text, False)


async def test_a_chat_needs_room_for_one_question():
    with pytest.raises(ValueError, match="concurrency is at least 1"):
        Chat(Scripted([]), concurrency=0)


def test_without_asyncio():
    chat = Chat(Scripted(["One.", "Two words.", '{"a": 1}', "x", "y"]))
    ask = chat.blocking
    assert ask.ask("Why?").text == "One."
    with ask.stream("Why?") as pieces:
        assert list(pieces) == ["Two ", "words."]
        assert pieces.reply.text == "Two words."
    assert ask.ask_for({"type": "object"}, "Why?").value == {"a": 1}
    assert [reply.text for reply in ask.ask_all(["1", "2"])] == ["x", "y"]
    with pytest.raises(ChatError, match="this is question 6"):
        ask.ask("Why?")
    ask.close()


def test_without_asyncio_a_stream_that_is_left_is_ended():
    chat = Chat(Scripted(["Two words.", "One."]), concurrency=1)
    with chat.blocking.stream("Why?") as pieces:
        assert next(iter(pieces)) == "Two "
    assert chat.blocking.ask("Why?").text == "One."
    assert chat.budget.spent.calls == 2


async def test_without_asyncio_also_where_a_loop_runs_already():
    """As in a notebook."""
    assert Chat(Scripted(["One."])).blocking.ask("Why?").text == "One."


def test_without_asyncio_from_several_threads():
    chat = Chat(Scripted(lambda request: request.messages[0].text))
    said: dict[int, str] = {}

    def ask(number: int) -> None:
        said[number] = chat.blocking.ask(f"{number}").text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == {number: str(number) for number in range(8)}


def test_one_chat_serves_loop_after_loop():
    chat = Chat(Scripted(lambda _: "Yes."))
    assert [asyncio.run(chat.ask("Why?")).text for _ in range(3)] == ["Yes."] * 3


async def test_an_endpoint_serves_two_loops_at_a_time(server):
    server.always = server.answer("Yes.")
    chat = Chat(server.endpoint())
    assert (await chat.ask("Why?")).text == "Yes."
    assert (await asyncio.to_thread(chat.blocking.ask, "Why?")).text == "Yes."
    await asyncio.to_thread(chat.blocking.close)
    assert (await chat.ask("Why?")).text == "Yes."


async def test_a_server_streams_to_code_without_asyncio(server):
    whole = server.events(server.chunk("Be"), server.chunk("cause."), server.chunk(finish="stop"), server.DONE)
    server.script = [whole, server.then_silence(server.events(server.chunk("Be"))), server.answer("Yes.")]
    ask = Chat(server.endpoint(), concurrency=1).blocking

    def talk() -> list[str]:
        with ask.stream("Why?") as pieces:
            got = list(pieces)
        with ask.stream("Why?") as pieces:
            got.append(next(iter(pieces)))
        got.append(ask.ask("Why?").text)
        ask.close()
        return got

    assert await asyncio.to_thread(talk) == ["Be", "cause.", "Be", "Yes."]


def test_ctrl_c_ends_the_question_under_way():
    code = """
import asyncio, os, signal, threading
from paperworks.lab.chat import Chat, Scripted

class Silent(Scripted):
    async def complete(self, request):
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

ended = threading.Event()
try:
    Chat(Silent([])).blocking.ask("Why?")
except KeyboardInterrupt:
    print("interrupted", ended.wait(10))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50)
    assert (run.stdout, run.stderr) == ("interrupted True\n", "")


def test_the_scripted_chat_brings_no_client_and_no_torch():
    code = """
import sys
import paperworks.lab.chat
early = [name for name in ("numpy", "asyncio") if name in sys.modules]
from paperworks.lab.chat import Chat, Scripted
Chat(Scripted(["Yes."])).blocking.ask("Why?")
print(early, [name for name in ("openai", "httpx2", "torch", "transformers", "pydantic", "PIL") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[] []\n"


@pytest.mark.parametrize(
    ("absent", "use", "said"),
    [
        ("openai", "Endpoint", "chat needs openai: pip install 'paperworks[chat]'"),
        ("transformers", "Local", "a local chat model needs transformers: pip install 'paperworks[hf]'"),
        ("torch", "Local", "a local chat model needs torch: pip install 'paperworks[hf]'"),
    ],
)
def test_what_is_not_installed_is_named(absent, use, said):
    code = f"""
import sys
sys.modules[{absent!r}] = None
import paperworks.lab.chat as chat
try:
    chat.{use}
except ImportError as error:
    print(type(error).__name__, error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == f"MissingExtra {said}\n"


async def test_usage_adds_up():
    total = Usage(prompt_tokens=1, completion_tokens=2) + Usage(prompt_tokens=10, completion_tokens=20, estimated=True)
    assert (total.prompt_tokens, total.completion_tokens, total.total, total.estimated) == (11, 22, 33, True)


def test_retry_is_asked_about_each_failure(caplog):
    caplog.set_level("INFO", logger="paperworks.lab.chat")
    chat = Chat(Scripted([PASSING, "Yes."]), retry=Retry(first_s=0, longest_s=0))
    assert chat.blocking.ask("Why?").text == "Yes."
    assert "attempt 1: not now" in caplog.text
