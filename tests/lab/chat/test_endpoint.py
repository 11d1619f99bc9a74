"""What is sent to a server, and that the key is seen by nobody else."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback

import pytest

from paperworks.lab.chat import Chat, ChatError, Endpoint, Sampling, system, user

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n and so on"


async def test_a_question_is_sent_as_the_protocol_has_it(server):
    server.always = server.answer("Because.")
    sampling = Sampling(temperature=0.5, top_p=0.9, max_tokens=20, stop=("END",), seed=3, sample=1)
    chat = Chat(server.endpoint(extra_body={"reasoning_effort": "low"}))
    reply = await chat.ask([system("Be brief."), user("Why?", PNG)], sampling)
    assert (reply.text, reply.model, reply.finish) == ("Because.", "served", "stop")
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "test-model",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Why?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgogYW5kIHNvIG9u"}},
                ],
            },
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 20,
        "stop": ["END"],
        "seed": 3,
        "reasoning_effort": "low",
    }


async def test_what_is_not_set_is_not_sent(server):
    server.always = server.answer("Because.")
    await Chat(server.endpoint()).ask("Why?", Sampling(temperature=None))
    assert set(server.asked[0].body) == {"model", "messages"}


async def test_the_name_of_the_limit_can_be_another(server):
    server.always = server.answer("Because.")
    await Chat(server.endpoint(limit_field="max_completion_tokens")).ask("Why?", Sampling(max_tokens=5))
    assert server.asked[0].body["max_completion_tokens"] == 5
    assert "max_tokens" not in server.asked[0].body


async def test_a_stream_asks_for_its_usage(server):
    server.always = server.events(server.chunk("Yes"), server.chunk(finish="stop"), server.chunk(usage=(5, 1)))
    async with Chat(server.endpoint()).stream("Why?") as pieces:
        assert [piece async for piece in pieces] == ["Yes"]
        assert (pieces.reply.usage.prompt_tokens, pieces.reply.usage.completion_tokens) == (5, 1)
        assert not pieces.reply.usage.estimated
    assert server.asked[0].body["stream"] is True
    assert server.asked[0].body["stream_options"] == {"include_usage": True}


async def test_the_key_goes_to_the_server_and_nowhere_else(server, impatient, secret, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    endpoint = server.endpoint()
    chat = Chat(endpoint, retry=impatient)
    server.script = [
        server.answer("Because."),
        server.failure(401, f"Incorrect API key provided: {secret}"),
        server.http(f"<p>{secret}</p>".encode(), kind="text/html"),
        server.answer(None, message={"refusal": f"I was given {secret}"}),
        server.http(f'{{"{secret}": 1}}'.encode()),
        server.events(f'data: {{"error": "{secret}"}}\n\n'),
        server.then_reset(b""),
    ]
    seen = [(await chat.ask("Why?")).text]
    monkeypatch.setattr(chat, "retry", type(impatient)(attempts=1))
    for _ in range(4):
        seen.append(await told_by(chat.ask("Why?")))  # noqa: PERF401
    async with chat.stream("Why?") as pieces:
        seen.append(await told_by(anext(pieces)))
    seen.append(await told_by(chat.ask("Why?")))
    assert [asked.headers["authorization"] for asked in server.asked] == [f"Bearer {secret}"] * 7
    assert secret not in "".join(seen) + caplog.text + repr(endpoint) + repr(chat) + repr(endpoint.identity())
    assert sum("[key]" in text for text in seen) == 5


@pytest.mark.parametrize("at", [280, 14_990])
async def test_a_key_is_not_cut_in_two_where_words_are_cut(server, secret, at):
    chat = Chat(server.endpoint())
    for page in ("x" * at + secret, "<br>" * (at // 4) + secret):
        server.script = [server.http(page.encode(), 401, kind="text/html"), server.failure(401, page)]
        for _ in range(2):
            assert "sk-" not in await told_by(chat.ask("Why?"))
        server.script = [server.http(json.dumps({page: 1}).encode())]
        assert "sk-" not in await told_by(chat.ask("Why?"))


async def told_by(question) -> str:
    """All that a failure prints, with what it holds on to."""
    with pytest.raises(ChatError) as caught:
        await question
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    return "".join(traceback.format_exception(error)) + repr(vars(error))


async def test_a_server_without_keys_needs_none(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    server.always = server.answer("Because.")
    await Chat(server.endpoint(api_key_env=None)).ask("Why?")
    assert server.asked[0].headers["authorization"] == "Bearer none"


async def test_a_key_that_is_not_there_is_asked_for(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="the environment has no OPENAI_API_KEY; set it, or give api_key_env=None"):
        Endpoint("some-model")


@pytest.mark.parametrize("address", ["http://user:hush@host/v1", "https://host/v1?key=hush"])
async def test_an_address_that_holds_a_secret_is_refused_without_repeating_it(address):
    with pytest.raises(ValueError, match="base_url must hold no user") as caught:
        Endpoint("some-model", base_url=address, api_key_env=None)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "localhost:8000/v1", "file:///etc/passwd", "http://"])
async def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="base_url is an address such as"):
        Endpoint("some-model", base_url=address, api_key_env=None)


@pytest.mark.parametrize("wrong", [{"timeout_s": 0}, {"max_answer_bytes": 0}])
async def test_limits_of_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="above 0"):
        Endpoint("some-model", api_key_env=None, **wrong)


async def test_cancelling_a_question_ends_the_exchange_and_counts_what_was_sent(server):
    chat = Chat(server.endpoint(), concurrency=1)
    reached = asyncio.Event()

    async def silent(writer):
        reached.set()
        await asyncio.Event().wait()

    server.script = [silent, server.answer("Because.")]
    asking = asyncio.create_task(chat.ask("Why?"))
    await reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.left.wait()  # the connection was closed
    spent = chat.budget.spent
    assert (spent.calls, spent.usage.completion_tokens, spent.usage.estimated) == (1, 0, True)
    assert (await chat.ask("Why?")).text == "Because.", "its place was given back"


async def test_leaving_a_stream_ends_the_exchange_and_counts_what_came(server):
    chat = Chat(server.endpoint(), concurrency=1)
    server.script = [server.then_silence(server.events(server.chunk("four"))), server.answer("Because.")]
    async with chat.stream("Why?") as pieces:
        assert await anext(pieces) == "four"
        with pytest.raises(RuntimeError, match="still coming"):
            _ = pieces.reply
    await server.left.wait()
    assert chat.budget.spent.usage.completion_tokens == 1
    assert (await chat.ask("Why?")).text == "Because."


async def test_a_connection_is_used_again_after_a_stream(server):
    chat = Chat(server.endpoint())
    events = [server.chunk("Yes."), server.chunk(finish="stop"), server.DONE, ""]
    parts = b"".join(f"{len(event):x}\r\n{event}\r\n".encode() for event in events)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.always, server.keeps_alive = head + parts, True
    for _ in range(3):
        async with chat.stream("Why?") as pieces:
            assert [piece async for piece in pieces] == ["Yes."]
    assert (server.connections, len(server.asked)) == (1, 3)


async def test_no_more_questions_are_under_way_than_allowed(server):
    chat = Chat(server.endpoint(), concurrency=3)
    free = asyncio.Event()

    async def held(writer):
        if server.at_once == 3:
            free.set()
        await free.wait()
        writer.write(server.answer("Yes."))

    server.always = held
    replies = await chat.ask_all([f"Question {n}" for n in range(9)])
    assert [reply.text for reply in replies] == ["Yes."] * 9
    assert server.most_at_once == 3
