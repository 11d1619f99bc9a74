"""A server that speaks OpenAI's chat completions protocol, through the ``openai`` client.

The client is told not to retry: `Chat` does that. It is told not to follow redirects, so that the key goes to no other
server. What arrives is read by `wire`, since the client passes on whatever it gets, a web page included.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from .errors import ChatError, Refused
from .per_loop import PerLoop
from .reply import Reply, estimated_usage
from .request import Request
from .wire import Part, ServerError, read_chunk, read_completion, words_of

OPENAI = "https://api.openai.com/v1"
_RETRIABLE = {408, 409, 425, 429}
_HOPELESS_CODES = {"insufficient_quota"}  # comes as 429, and no waiting mends it
_SPEAKING = (openai.OpenAIError, httpx2.HTTPError, TimeoutError, ValueError, RecursionError)
_AFTER_THE_END_S = 5.0
_DRAIN_S = 0.1


class Endpoint:
    """``model`` at ``base_url``.

    The key is read from the environment variable ``api_key_env`` (None for a server that asks for none); it appears
    in no message, log or repr. ``timeout_s`` bounds the wait for a whole answer, and in a stream the silence before
    each piece of text; ``max_answer_bytes`` what is read of one response. ``limit_field`` is what the server calls
    max_tokens (newer OpenAI models: "max_completion_tokens"), and ``extra_body`` is sent along as it is.

    Raises ValueError where the variable is not set, or ``base_url`` is no http(s) address or holds a secret itself.
    """

    takes_schema = True

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OPENAI,
        api_key_env: str | None = "OPENAI_API_KEY",
        timeout_s: float = 120.0,
        max_answer_bytes: int = 16_000_000,
        limit_field: str = "max_tokens",
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        if not timeout_s > 0 or max_answer_bytes < 1:
            raise ValueError(f"timeout_s={timeout_s} and max_answer_bytes={max_answer_bytes} must be above 0")
        _check_address(base_url)
        self._model = model
        self.base_url = base_url
        self.timeout_s = timeout_s
        self.max_answer_bytes = max_answer_bytes
        self.limit_field = limit_field
        self.extra_body = dict(extra_body or {})
        self._key = _key_from(api_key_env)
        self._clients = PerLoop(self._connect)

    def __repr__(self) -> str:
        return f"Endpoint({self._model!r}, base_url={self.base_url!r})"

    @property
    def model(self) -> str:
        """The name that the server knows the model by."""
        return self._model

    def identity(self) -> Mapping[str, Any]:
        """Address, model and what is sent along."""
        return {"backend": "endpoint", "base_url": self.base_url, "model": self._model, "extra_body": self.extra_body}

    async def complete(self, request: Request) -> Reply:
        """The whole answer in one response. Raises ChatError; Refused where the model declined."""
        failure: ChatError
        client = self._client()
        try:
            async with asyncio.timeout(self.timeout_s):
                raw = await client.chat.completions.with_raw_response.create(**self._arguments(request))
            part = self._read_whole(raw.http_response)
        except _SPEAKING as error:
            failure = self._failure(error, request, "")
        else:
            return self._reply(request, [part.text or ""], part)
        raise failure  # outside of the handler: the client's own error, with its request and key, is not chained

    async def stream(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        """The answer piece by piece. Raises ChatError, also where the stream ends before the answer does."""
        pieces: list[str] = []
        last = Part()
        failure: ChatError | None = None
        try:
            async with aclosing(self._parts(request)) as parts:
                async for part in parts:
                    last = _merged(last, part)
                    if part.text:
                        pieces.append(part.text)
                        yield part.text
        except _SPEAKING as error:
            failure = self._failure(error, request, "".join(pieces))
        if last.finish is None and last.refusal is None:
            raise failure or self._failure(_CutOff(), request, "".join(pieces))
        yield self._reply(request, pieces, last)  # a failure after the answer's end takes nothing from it

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        if (client := self._clients.forget()) is not None:
            await client.close()

    async def _parts(self, request: Request) -> AsyncGenerator[Part, None]:
        """The parts of a streamed answer; no silence between two texts is longer than ``timeout_s``."""
        client = self._client()
        async with asyncio.timeout(self.timeout_s):
            stream = await client.chat.completions.create(
                stream=True, stream_options={"include_usage": True}, **self._arguments(request)
            )
        async with stream:
            if "text/event-stream" not in stream.response.headers.get("content-type", ""):
                async with asyncio.timeout(self.timeout_s):
                    await stream.response.aread()
                yield self._read_whole(stream.response)  # a server that does not stream answers all at once
                return
            async with aclosing(self._read_events(stream.response)) as events:
                async for part in self._without_long_silence(events):
                    yield part

    def _read_whole(self, response: httpx2.Response) -> Part:
        kind = response.headers.get("content-type", "of no content type")
        text = self._hide(response.text)
        if "json" not in kind:
            raise ValueError(f"it is {kind} ({words_of(text)}); is base_url right?")
        return read_completion(json.loads(text))

    async def _read_events(self, response: httpx2.Response) -> AsyncGenerator[Part, None]:
        """What the events of a stream say, up to [DONE] or its end. Comments and events without data say nothing."""
        response.encoding = "utf-8"  # event streams are, whatever the header says
        events = aiter(httpx2.EventSource(response, max_event_size=None))
        async for event in events:
            data = self._hide(event.data.strip())
            if data == "[DONE]":
                break
            if data:
                yield read_chunk(json.loads(data))
        with contextlib.suppress(TimeoutError, httpx2.HTTPError, _OversizedAnswer):
            async with asyncio.timeout(_DRAIN_S):  # read to its end, the connection can be used again
                async for _ in events:
                    pass

    async def _without_long_silence(self, parts: AsyncIterator[Part]) -> AsyncGenerator[Part, None]:
        """``parts`` while their texts keep coming. Only waiting counts, not what the reader does in between.

        After the answer's end there is little to wait for: the usage, which not all servers tell.
        """
        clock = asyncio.get_running_loop().time
        silence_s, has_ended = 0.0, False
        while True:
            begin = clock()
            patience_s = min(self.timeout_s, _AFTER_THE_END_S) if has_ended else self.timeout_s
            async with asyncio.timeout(patience_s - silence_s):
                part = await anext(parts, None)
            if part is None:
                return
            silence_s = 0.0 if part.text or part.finish else silence_s + clock() - begin
            has_ended = has_ended or part.finish is not None
            yield part

    def _client(self) -> openai.AsyncOpenAI:
        return self._clients.here()

    def _connect(self) -> openai.AsyncOpenAI:
        http = httpx2.AsyncClient(
            follow_redirects=False,
            timeout=self.timeout_s,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
            headers={"Accept-Encoding": "identity"},  # so that the bytes that arrive are the bytes that are read
            event_hooks={"response": [self._limit]},
        )
        return openai.AsyncOpenAI(
            api_key=self._key or "none", base_url=self.base_url, max_retries=0, timeout=self.timeout_s, http_client=http
        )

    async def _limit(self, response: httpx2.Response) -> None:
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Limited(response.stream, self.max_answer_bytes)

    def _arguments(self, request: Request) -> dict[str, Any]:
        """The keyword arguments of the client's ``create``; what is None stays unsaid."""
        sampling = request.sampling
        settings = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
            self.limit_field: sampling.max_tokens,
            "stop": list(sampling.stop) or None,
            "response_format": None if request.schema is None else _response_format(request.schema),
        }
        said = {name: setting for name, setting in settings.items() if setting is not None}
        messages = [message.to_json() for message in request.messages]
        return {"model": self._model, "messages": messages, "extra_body": self.extra_body} | said

    def _reply(self, request: Request, pieces: list[str], part: Part) -> Reply:
        text = "".join(pieces)
        usage = part.usage or estimated_usage(request, text)
        if part.refusal is not None:
            raise Refused(f"{self._model} declined: {words_of(part.refusal)}", usage=usage, partial=text)
        return Reply(pieces=tuple(pieces), usage=usage, finish=part.finish or "stop", model=part.model or self._model)

    def _failure(self, error: Exception, request: Request, partial: str) -> ChatError:
        """What went wrong, and what it cost: nothing, so far as is known, where no connection was made or it broke."""
        if isinstance(error, openai.APIStatusError):
            return self._status_failure(error)
        said, retriable = self._diagnosis(error)
        lost = isinstance(error, openai.APIConnectionError | httpx2.TransportError) and retriable and not partial
        usage = None if lost and not _is_timeout(error) else estimated_usage(request, partial)
        return self._error(said, retriable=retriable, usage=usage, partial=partial)

    def _diagnosis(self, error: Exception) -> tuple[str, bool]:
        """In a few words, and whether another attempt may help."""
        match error:
            case _ if _is_timeout(error):
                return f"no answer within {self.timeout_s:g} s", True
            case _OversizedAnswer():
                return f"the response is longer than {self.max_answer_bytes} bytes", False
            case _CutOff():
                return "the stream ended before the answer did", True
            case openai.APIConnectionError() | httpx2.TransportError():
                return f"the connection failed ({type(error.__cause__ or error).__name__})", True
            case ServerError():
                return f"the server broke off: {error}", True
            case json.JSONDecodeError() | UnicodeDecodeError() | RecursionError():
                return "the response is broken JSON", True
            case ValueError():
                return f"the response is no chat completion: {error}", False
            case _:
                return f"the exchange failed ({type(error).__name__})", True

    def _status_failure(self, error: openai.APIStatusError) -> ChatError:
        status, headers = error.status_code, error.response.headers
        told = headers.get("x-should-retry")
        retriable = (status in _RETRIABLE or status >= 500) if told not in ("true", "false") else told == "true"
        said = words_of(_json_or_text(self._hide(error.response.text)))
        return self._error(
            f"HTTP {status}: {said}" if said else f"HTTP {status}",
            status=status,
            retriable=retriable and error.code not in _HOPELESS_CODES,
            retry_after=headers.get("retry-after"),
        )

    def _error(self, said: str, **details: Any) -> ChatError:
        return ChatError(f"{self._model} at {urlsplit(self.base_url).netloc}: {said}", **details)

    def _hide(self, text: str) -> str:
        """Servers repeat the key in their errors; it goes no further. All that arrives passes here, before any cut."""
        return text.replace(self._key, "[key]") if self._key else text


class _OversizedAnswer(ValueError):
    """The response has more bytes than are read."""


class _CutOff(ValueError):
    """The stream has ended, and the answer has not."""


class _Limited(httpx2.AsyncByteStream):
    """A response's bytes up to a limit."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk[: self._left]
            self._left -= len(chunk)
            if self._left < 0:
                raise _OversizedAnswer

    async def aclose(self) -> None:
        await self._stream.aclose()


def _check_address(base_url: str) -> None:
    address = urlsplit(base_url)
    if address.username or address.password or address.query:
        raise ValueError(
            "base_url must hold no user, password or query, where secrets would reach logs; use api_key_env"
        )
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(f"base_url is an address such as http://127.0.0.1:8000/v1, not {base_url!r}")


def _key_from(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ValueError(
            f"the environment has no {variable}; set it, or give api_key_env=None for a server without keys"
        )
    return key


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, TimeoutError | openai.APITimeoutError | httpx2.TimeoutException)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _merged(before: Part, part: Part) -> Part:
    """What is known after ``part``: whatever it says, else what was said before."""
    return Part(
        refusal=before.refusal if part.refusal is None else (before.refusal or "") + part.refusal,
        finish=part.finish or before.finish,
        usage=part.usage or before.usage,
        model=part.model or before.model,
    )


def _response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    form = {"name": "answer", "schema": schema, "strict": _is_strict(schema)}
    return {"type": "json_schema", "json_schema": form}


def _is_strict(schema: Any) -> bool:
    """Whether the schema may be enforced to the letter: every object closed and every property required."""
    if isinstance(schema, list):
        return all(map(_is_strict, schema))
    if not isinstance(schema, Mapping):
        return True
    if schema.get("type") == "object":
        names = set(schema.get("properties", {}))
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != names:
            return False
    return all(map(_is_strict, schema.values()))
