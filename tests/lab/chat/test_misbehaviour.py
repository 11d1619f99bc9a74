"""What a server can do wrong, and what comes of it: one test, one misbehaviour, the exact outcome."""

from __future__ import annotations

import asyncio
import json

import pytest

from paperworks.lab.chat import Chat, ChatError, Refused, Retry, Sampling
from paperworks.lab.chat import endpoint as endpoint_module

pytestmark = pytest.mark.anyio


@pytest.fixture
def chat(server, impatient):
    """A chat with the server that gives up after three attempts."""
    return Chat(server.endpoint(), retry=impatient)


async def streamed(chat: Chat, question: str = "Why?") -> tuple[list[str], object]:
    async with chat.stream(question) as pieces:
        got = [piece async for piece in pieces]
        return got, pieces.reply


async def failed_stream(chat: Chat) -> tuple[list[str], ChatError]:
    """The texts that came before the failure, and the failure."""
    got: list[str] = []
    try:
        async with chat.stream("Why?") as pieces:
            async for piece in pieces:
                got += [piece]
    except ChatError as error:
        return got, error
    return pytest.fail(f"the stream ended well, with {got}")


async def test_429_is_asked_again_after_the_seconds_that_the_server_names(server, chat, pauses):
    server.script = [server.failure(429, Retry_After="7"), server.answer("Because.")]
    assert (await chat.ask("Why?")).text == "Because."
    assert pauses == [7.0]
    assert len(server.asked) == 2


async def test_429_with_a_date_is_asked_again_at_that_time(server, chat, pauses):
    server.script = [server.failure(429, Retry_After="Tue, 14 Nov 2023 22:13:29 GMT"), server.answer("Because.")]
    assert (await chat.ask("Why?")).text == "Because."
    assert pauses == [9.0]  # 1,700,000,000 s is 22:13:20


async def test_429_that_asks_for_an_hour_is_not_waited_for(server, chat, pauses):
    server.script = [server.failure(429, "come back later", Retry_After="3600")]
    with pytest.raises(ChatError, match="HTTP 429: come back later") as caught:
        await chat.ask("Why?")
    assert (caught.value.status, caught.value.retry_after, pauses) == (429, "3600", [])


async def test_an_account_without_money_is_not_asked_again(server, chat, pauses):
    server.script = [server.failure(429, "You exceeded your current quota", code="insufficient_quota")]
    with pytest.raises(ChatError, match="quota"):
        await chat.ask("Why?")
    assert (len(server.asked), pauses) == (1, [])


async def test_500_then_fine(server, chat, pauses):
    server.script = [server.failure(500), server.failure(503), server.answer("Because.")]
    assert (await chat.ask("Why?")).text == "Because."
    assert pauses == [0.5, 1.0]
    assert chat.budget.spent.calls == 1


async def test_500_for_ever_ends_after_the_attempts(server, chat, pauses):
    server.always = server.failure(500, "out of order")
    with pytest.raises(ChatError, match=r"HTTP 500: out of order \(tried 3 times\)$") as caught:
        await chat.ask("Why?")
    assert (caught.value.attempts, len(server.asked), pauses) == (3, 3, [0.5, 1.0])
    assert chat.budget.spent.calls == 0


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"]
)
async def test_a_connection_reset_is_asked_again(server, chat, pauses, sent):
    server.script = [server.then_reset(sent), server.answer("Because.")]
    assert (await chat.ask("Why?")).text == "Because."
    assert pauses == [0.5]


async def test_a_body_that_ends_early_is_asked_again(server, chat, pauses):
    server.script = [server.answer("Because.")[:-40], server.answer("Because.")]
    assert (await chat.ask("Why?")).text == "Because."
    assert pauses == [0.5]


async def test_silence_instead_of_an_answer_is_a_timeout(server, impatient, pauses):
    chat = Chat(server.endpoint(timeout_s=0.2), retry=impatient)
    server.always = server.then_silence(b"")
    with pytest.raises(ChatError, match=r"no answer within 0.2 s \(tried 3 times\)"):
        await chat.ask("Why?")
    assert pauses == [0.5, 1.0]
    assert chat.budget.spent.usage.estimated, "what a timeout cost is a guess, and called one"


async def stalled_stream(chat: Chat, last: str) -> tuple[list[str], ChatError]:
    """As `failed_stream`, with a short timeout once the text ``last`` is there; before it the machine may be slow."""
    got: list[str] = []
    try:
        async with chat.stream("Why?") as pieces:
            async for piece in pieces:
                got += [piece]
                if piece == last:
                    chat.backend.timeout_s = 0.2
    except ChatError as error:
        return got, error
    return pytest.fail(f"the stream ended well, with {got}")


async def test_a_stream_that_stalls_is_a_timeout_and_hands_over_what_came(server, chat, pauses):
    server.always = server.then_silence(server.events(server.chunk("Bec"), server.chunk("ause")))
    got, error = await stalled_stream(chat, "ause")
    assert (got, error.partial, pauses) == (["Bec", "ause"], "Because", [])
    assert "no answer within 0.2 s" in str(error)


async def test_keep_alives_do_not_keep_a_silent_stream_alive(server, chat):
    nothing = server.chunk("").encode() + b": still here\n\n"
    server.always = server.then_keep_alives(server.events(server.chunk("Bec")), nothing)
    got, error = await stalled_stream(chat, "Bec")
    assert (got, error.partial) == (["Bec"], "Bec")
    assert "no answer within 0.2 s" in str(error)


async def test_a_stream_that_stalls_before_its_first_word_is_begun_anew(server, pauses):
    endpoint = server.endpoint(timeout_s=0.2)

    async def be_patient(seconds: float) -> None:
        pauses.append(seconds)
        endpoint.timeout_s = 20.0

    async def silent_at_first(writer):
        writer.write(server.events(server.chunk("")))
        if not pauses:
            await asyncio.Event().wait()
        writer.write((server.chunk("Because.") + server.chunk(finish="stop") + server.DONE).encode())

    server.always = silent_at_first
    got, _ = await streamed(Chat(endpoint, retry=Retry(sleep=be_patient, random=lambda: 1.0)))
    assert (got, pauses) == (["Because."], [0.5])


async def test_a_stream_cut_in_half_a_chunk_is_no_answer(server, chat, pauses):
    server.script = [server.events(server.chunk("Bec"), server.chunk("ause")[:40])]
    got, error = await failed_stream(chat)
    assert (got, error.partial, pauses) == (["Bec"], "Bec", [])
    assert "the stream ended before the answer did" in str(error)
    assert chat.budget.spent.usage.completion_tokens == 1


async def test_a_stream_that_just_ends_is_no_answer(server, chat):
    server.script = [server.events(server.chunk("Because"), server.DONE)]
    got, error = await failed_stream(chat)
    assert (got, error.partial) == (["Because"], "Because")
    assert "the stream ended before the answer did" in str(error)


async def test_a_connection_lost_in_a_stream_hands_over_what_came(server, chat, pauses):
    event = server.chunk("Bec")
    sent = server.events(f"{len(event):x}\r\n{event}\r\n").replace(b"Connection:", b"Transfer-Encoding: chunked\r\nX:")
    server.script = [sent]  # the last chunk of the transfer, which has no length, does not come
    got, error = await failed_stream(chat)
    assert (got, error.partial, pauses) == (["Bec"], "Bec", [])
    assert "the connection failed (RemoteProtocolError)" in str(error)


async def test_a_stream_without_done_is_whole_once_the_answer_has_ended(server, chat):
    server.script = [server.events(server.chunk("Because."), server.chunk(finish="stop"))]
    got, reply = await streamed(chat)
    assert (got, reply.text, reply.finish) == (["Because."], "Because.", "stop")


async def test_what_goes_wrong_after_the_answers_end_takes_nothing_from_it(server, chat, monkeypatch):
    monkeypatch.setattr(endpoint_module, "_AFTER_THE_END_S", 0.05)
    whole = server.events(server.chunk("Because."), server.chunk(finish="stop"))
    server.script = [server.then_silence(whole), whole + b"data: {half a chu\n\n"]
    for _ in range(2):
        got, reply = await streamed(chat)
        assert (got, reply.text) == (["Because."], "Because.")


async def test_an_error_in_the_midst_of_a_stream_is_told(server, chat):
    server.script = [server.events(server.chunk("Bec"), 'data: {"error": {"message": "the GPU fell off"}}\n\n')]
    got, error = await failed_stream(chat)
    assert got == ["Bec"]
    assert "the server broke off: the GPU fell off" in str(error)


@pytest.mark.parametrize("body", [b'{"choices": [{"message"', b"", b"\xff\xfe{}", b"[" * 100_000])
async def test_a_body_of_broken_json_is_asked_again(server, chat, pauses, body):
    server.script = [server.http(body), server.answer("Because.")]
    assert (await chat.ask("Why?")).text == "Because."
    assert pauses == [0.5]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "is an object, not a list"),
        (None, "is an object, not null"),
        ({}, "has no choices; it holds nothing"),
        ({"detail": "x"}, "has no choices; it holds detail"),
        ({"choices": "one"}, "choices is a text"),
        ({"choices": [None]}, "choices is a list, not a list of objects"),
        ({"choices": [{"message": "hello"}]}, r"choices\[0\].message is a text"),
        ({"choices": [{"message": {"content": 42}}]}, "content is a number, not a text"),
    ],
)
async def test_json_that_is_no_completion_is_told_and_not_asked_again(server, chat, body, said):
    server.script = [server.http(json.dumps(body).encode())]
    with pytest.raises(ChatError, match=said):
        await chat.ask("Why?")
    assert len(server.asked) == 1


@pytest.mark.parametrize("data", ["[]", "null", "3", '{"choices": 4}', '{"choices": [{"delta": {"content": []}}]}'])
async def test_a_chunk_that_is_none_ends_the_stream(server, chat, data):
    server.script = [server.events(server.chunk("Bec"), f"data: {data}\n\n", server.chunk("ause"), server.DONE)]
    got, error = await failed_stream(chat)
    assert (got, error.partial) == (["Bec"], "Bec")
    assert "no chat completion" in str(error)


async def test_a_web_page_instead_of_an_answer_asks_whether_the_address_is_right(server, chat):
    page = b"<html><head><title>x</title><style>p {}</style></head><body><p>Welcome to nginx!</p></body></html>"
    server.always = server.http(page, kind="text/html")
    with pytest.raises(ChatError, match=r"it is text/html \(Welcome to nginx!\); is base_url right\?"):
        await chat.ask("Why?")
    got, error = await failed_stream(chat)
    assert (got, len(server.asked)) == ([], 2)
    assert "Welcome to nginx!" in str(error)


async def test_an_error_page_is_told_without_its_markup(server, chat):
    server.always = server.http(b"<html><body><h1>502 Bad Gateway</h1></body></html>", 502, kind="text/html")
    with pytest.raises(ChatError, match=r"HTTP 502: 502 Bad Gateway \(tried 3 times\)") as caught:
        await chat.ask("Why?")
    assert caught.value.status == 502


async def test_a_huge_answer_is_read_up_to_the_limit(server, impatient):
    chat = Chat(server.endpoint(max_answer_bytes=50_000), retry=impatient)
    server.always = server.answer("x" * 1_000_000)
    with pytest.raises(ChatError, match="longer than 50000 bytes"):
        await chat.ask("Why?")
    assert len(server.asked) == 1


async def test_a_stream_without_end_is_read_up_to_the_limit(server, impatient):
    chat = Chat(server.endpoint(max_answer_bytes=20_000), retry=impatient)

    async def endless(writer):
        writer.write(server.events())
        while not writer.is_closing():
            writer.write(server.chunk("word ").encode())
            await writer.drain()

    server.always = endless
    got, error = await failed_stream(chat)
    assert 0 < len(got) <= 20_000 / len(server.chunk("word "))
    assert "longer than 20000 bytes" in str(error)
    await server.left.wait()


async def test_a_huge_error_page_is_told_briefly(server, impatient):
    chat = Chat(server.endpoint(), retry=impatient)
    server.always = server.http(b"<p>wrong</p>" * 100_000, 400, kind="text/html")
    with pytest.raises(ChatError) as caught:
        await chat.ask("Why?")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("usage", [None, {"prompt_tokens": "7"}, {"prompt_tokens": -1, "completion_tokens": 2}, []])
async def test_missing_usage_is_estimated_and_marked(server, chat, usage):
    server.script = [server.answer("four bytes each.", None, **({} if usage is None else {"usage": usage}))]
    reply = await chat.ask("x" * 40)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.estimated) == (18, 4, True)
    assert chat.budget.spent.usage == reply.usage


async def test_usage_that_is_told_is_taken(server, chat):
    server.script = [server.answer("Because.", (11, 5))]
    usage = (await chat.ask("Why?")).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (11, 5, False)


async def test_missing_usage_of_a_stream_is_estimated_and_marked(server, chat):
    server.script = [server.events(server.chunk("four bytes each."), server.chunk(finish="stop"), server.DONE)]
    _, reply = await streamed(chat)
    assert (reply.usage.completion_tokens, reply.usage.estimated) == (4, True)


async def test_a_refusal_is_told_in_the_models_words(server, chat):
    server.script = [server.answer(None, message={"refusal": "I will not help with that."})]
    with pytest.raises(Refused, match=r"declined: I will not help with that\.$") as caught:
        await chat.ask("Why?")
    assert (len(server.asked), caught.value.usage.total, chat.budget.spent.usage.total) == (1, 10, 10)


async def test_a_refusal_in_a_stream(server, chat):
    parts = [{"choices": [{"delta": {"refusal": text}, "finish_reason": None}]} for text in ("I will ", "not.")]
    server.script = [server.events(*(f"data: {json.dumps(part)}\n\n" for part in parts), server.DONE)]
    got, error = await failed_stream(chat)
    assert got == []
    assert isinstance(error, Refused)
    assert str(error).endswith("declined: I will not.")


async def test_a_filter_that_withholds_the_answer_is_a_refusal(server, chat):
    server.script = [server.answer(None, finish="content_filter")]
    with pytest.raises(Refused, match="a content filter withheld the answer"):
        await chat.ask("Why?")


async def test_null_instead_of_an_answer_is_told(server, chat):
    server.script = [server.answer(None, message={"tool_calls": []})]
    with pytest.raises(ChatError, match="content is null, without a refusal"):
        await chat.ask("Why?")
    assert len(server.asked) == 1


async def test_null_where_thoughts_took_all_tokens_is_an_empty_answer(server, chat):
    server.script = [server.answer(None, finish="length")]
    reply = await chat.ask("Why?", Sampling(max_tokens=3))
    assert (reply.text, reply.finish) == ("", "length")


async def test_comments_keep_alives_and_repeated_events_change_nothing(server, chat):
    keep_alives = ":\n\n: ping\n: ping\n\nevent: ping\n\nid: 7\nretry: 10\n\n\r\n\r\n"
    usage = server.chunk(usage=(9, 2))
    server.script = [
        server.events(
            keep_alives,
            usage,
            server.chunk("Bec"),
            ": in between\n",
            server.chunk("ause.").replace("\n\n", "\r\n\r\n"),
            keep_alives,
            server.chunk(finish="stop"),
            server.chunk(finish="stop"),
            usage,
            server.DONE,
            server.DONE,
            server.chunk("after the end"),
        )
    ]
    got, reply = await streamed(chat)
    assert (got, reply.text, reply.usage.total) == (["Bec", "ause."], "Because.", 11)


async def test_an_event_in_two_lines_and_a_letter_in_two_packets_are_put_together(server, chat):
    event = server.chunk("schön").replace('"choices"', '\ndata: "choices"').replace("\\u00f6", "ö").encode()
    middle = event.index("ö".encode()) + 1

    async def in_two(writer):
        writer.write(server.events(event[:middle]))
        await writer.drain()
        writer.write(event[middle:] + server.chunk(finish="stop").encode())

    server.script = [in_two]
    assert (await streamed(chat))[0] == ["schön"]


async def test_a_stream_is_utf_8_whatever_its_header_says(server, chat):
    sent = server.events(server.chunk("schön").replace("\\u00f6", "ö"), server.chunk(finish="stop"))
    server.script = [sent.replace(b"text/event-stream", b"text/event-stream; charset=iso-8859-1")]
    assert (await streamed(chat))[0] == ["schön"]


async def test_half_a_character_becomes_the_sign_for_one(server, chat):
    body = {"choices": [{"message": {"content": "a\ud83d"}, "finish_reason": "stop"}]}
    server.script = [server.http(json.dumps(body).encode())]
    assert (await chat.ask("Why?")).text == "a\N{REPLACEMENT CHARACTER}"


async def test_401_is_told_at_once(server, chat, pauses):
    server.script = [server.failure(401, "Incorrect API key provided")]
    with pytest.raises(
        ChatError, match=r"^test-model at 127.0.0.1:\d+: HTTP 401: Incorrect API key provided$"
    ) as caught:
        await chat.ask("Why?")
    assert (caught.value.status, len(server.asked), pauses) == (401, 1, [])


async def test_a_server_may_forbid_or_wish_another_attempt(server, chat):
    server.script = [server.failure(500, x_should_retry="false")]
    with pytest.raises(ChatError, match="HTTP 500"):
        await chat.ask("Why?")
    server.script = [server.failure(400, x_should_retry="true"), server.answer("Because.")]
    assert (await chat.ask("Why?")).text == "Because."


async def test_a_redirect_is_not_followed_so_the_key_stays(server, chat):
    server.script = [server.http(b"", 307, Location=f"{server.url}/elsewhere")]
    with pytest.raises(ChatError, match="HTTP 307"):
        await chat.ask("Why?")
    assert len(server.asked) == 1


async def test_a_server_that_does_not_stream_answers_all_at_once(server, chat):
    server.script = [server.answer("Because.")]
    got, reply = await streamed(chat)
    assert (got, reply.usage.total) == (["Because."], 10)


async def test_nobody_listens(server, chat, impatient):
    nobody = Chat(server.endpoint(base_url="http://127.0.0.1:9/v1"), retry=impatient)
    with pytest.raises(ChatError, match=r"the connection failed \(ConnectError\) \(tried 3 times\)"):
        await nobody.ask("Why?")
    assert nobody.budget.spent.calls == 0
