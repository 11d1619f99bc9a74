"""A transformers model on this machine as a chat model: text, and images where the model takes them.

Tokens are drawn with a generator of the request's own, by adding Gumbel noise to the logits and taking the largest
(Gumbel 1954; Maddison et al. 2014, arXiv:1411.0030). That is sampling from the softmax, and it leaves torch's global
generator alone, so equal seeds give equal answers whatever else runs.
"""

from __future__ import annotations

import asyncio
import copy
import hashlib
import inspect
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import cached_property
from typing import Any

from paperworks.core import MissingExtra
from paperworks.lab import device as devices

from .messages import Message
from .reply import Reply, Usage
from .request import Request, Sampling
from .stop_strings import StopStrings

try:
    import torch
    from transformers import (
        AsyncTextIteratorStreamer,
        LogitsProcessorList,
        StoppingCriteriaList,
        TemperatureLogitsWarper,
        TopPLogitsWarper,
    )
except ModuleNotFoundError as error:
    raise MissingExtra("a local chat model", error.name or "transformers", "hf") from error


class Local:
    """``model`` with its tokenizer, or with the processor of an image-text-to-text model.

    One answer is made at a time, in a thread; others wait. ``max_tokens`` bounds answers to requests that do not.
    ``name`` stands for the model in prices. Temperature None means 1. The cache knows the model by a digest of its
    configuration and weights, made when first needed, so weights must not change afterwards.

    Raises ValueError where there is no chat template.
    """

    takes_schema = False

    def __init__(self, model: Any, processor: Any, *, name: str = "", max_tokens: int = 512) -> None:
        self._network = model
        self._processor = processor
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self._sees = self._tokenizer is not processor
        if getattr(processor, "chat_template", None) is None and self._tokenizer.chat_template is None:
            raise ValueError("the tokenizer has no chat template; set tokenizer.chat_template, or take a chat model")
        if max_tokens < 1:
            raise ValueError(f"max_tokens is at least 1, not {max_tokens}")
        self._name = name or model.config.name_or_path or type(model).__name__
        self._max_tokens = max_tokens
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="paperworks-chat-model")

    def __repr__(self) -> str:
        return f"Local({self._name!r})"

    @classmethod
    def load(cls, model: str, *, device: str = "auto", max_tokens: int = 512, **options: Any) -> Local:
        """The model of a folder or hub id, by its architecture with images or without; "auto" is the best device.

        ``options`` go to ``from_pretrained`` of the model, such as ``dtype="bfloat16"`` or ``revision``.
        """
        from transformers import (
            MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
            AutoConfig,
            AutoModelForCausalLM,
            AutoModelForImageTextToText,
            AutoProcessor,
            AutoTokenizer,
        )

        revision = {"revision": options["revision"]} if "revision" in options else {}
        sees = type(AutoConfig.from_pretrained(model, **revision)) in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
        kind, processing = (
            (AutoModelForImageTextToText, AutoProcessor) if sees else (AutoModelForCausalLM, AutoTokenizer)
        )
        network: Any = kind.from_pretrained(model, **options)
        network = network.to(devices.resolve(device, "paper")).eval()
        return cls(network, processing.from_pretrained(model, **revision), name=model, max_tokens=max_tokens)

    @property
    def model(self) -> str:
        """The model's name."""
        return self._name

    def identity(self) -> Mapping[str, Any]:
        """Name, limit, and the digest of configuration, weights and chat template."""
        return {"backend": "local", "model": self._name, "digest": self._digest, "max_tokens": self._max_tokens}

    async def complete(self, request: Request) -> Reply:
        """The whole answer. Raises ValueError for a conversation that the model cannot take."""
        async with aclosing(self.stream(request)) as items:
            async for item in items:
                if isinstance(item, Reply):
                    return item
        raise AssertionError("a stream ends with its reply")

    async def stream(self, request: Request) -> AsyncGenerator[str | Reply, None]:
        """The answer as it is made. Leaving the generator ends the making after the token under way."""
        if request.schema is not None:
            raise ValueError("a local model is not held to a schema; Chat.ask_for asks for one in words")
        halt = threading.Event()
        stop = StopStrings(request.sampling.stop)
        pieces: list[str] = []
        streamer = AsyncTextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
        made = asyncio.get_running_loop().run_in_executor(self._worker, self._make, request, streamer, halt)
        try:
            async for text in streamer:
                if piece := stop.feed(text):
                    pieces.append(piece)
                    yield piece
                if stop.found:
                    halt.set()
            usage, finish = await made
            if piece := stop.rest():
                pieces.append(piece)
                yield piece
        finally:
            halt.set()
        finish = "stop" if stop.found else finish
        yield Reply(pieces=tuple(pieces), usage=usage, finish=finish, model=self._name)

    async def close(self) -> None:
        """Nothing is held for an event loop."""

    def _make(self, request: Request, streamer: Any, halt: threading.Event) -> tuple[Usage, str]:
        """Generate into ``streamer`` until the end, the limit, or ``halt``; runs in the worker's thread."""
        try:
            if halt.is_set():
                return Usage(), "stop"
            inputs = self._encode(request.messages)
            prompt = inputs["input_ids"].shape[1]
            room = self._room(prompt)
            most = min(request.sampling.max_tokens or self._max_tokens, room)
            with torch.inference_mode():
                ids = self._network.generate(
                    **inputs,
                    generation_config=self._settings(most),
                    logits_processor=_drawing(request.sampling),
                    stopping_criteria=StoppingCriteriaList([_halted(halt)]),
                    streamer=streamer,
                )
            made = ids.shape[1] - prompt
            at_length = made >= most and int(ids[0, -1]) not in self._ends
            return Usage(prompt_tokens=prompt, completion_tokens=made), "length" if at_length else "stop"
        finally:
            streamer.end()

    def _encode(self, messages: tuple[Message, ...]) -> Any:
        """The conversation as the model's inputs, input_ids [1, N] among them, on the model's device."""
        if not self._sees and any(message.images for message in messages):
            raise ValueError(f"{self._name} takes no images; give the processor of an image-text-to-text model")
        inputs = self._processor.apply_chat_template(
            [_turn(message, self._sees) for message in messages],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        if "token_type_ids" not in inspect.signature(self._network.forward).parameters:
            inputs.pop("token_type_ids", None)  # many tokenizers give them, and few models that write read them
        return inputs.to(self._network.device)

    def _room(self, prompt: int) -> int:
        """The tokens that an answer to a prompt of that many tokens may have."""
        config = self._network.config.get_text_config()
        context = getattr(config, "max_position_embeddings", None) or prompt + self._max_tokens
        if prompt >= context:
            raise ValueError(f"the conversation has {prompt} tokens, and {self._name} takes {context} with its answer")
        return int(context - prompt)

    def _settings(self, most: int) -> Any:
        """The model's own settings for generation, without its sampling: the request says how tokens are drawn."""
        settings = copy.deepcopy(self._network.generation_config)
        settings.update(max_new_tokens=most, max_length=None, do_sample=False, num_beams=1, use_cache=True)
        settings.update(temperature=None, top_p=None, top_k=None, min_p=None, typical_p=None)
        settings.update(
            pad_token_id=next(iter(self._ends), 0) if settings.pad_token_id is None else settings.pad_token_id
        )
        return settings

    @cached_property
    def _ends(self) -> set[int]:
        """The tokens that end an answer."""
        told = self._network.generation_config.eos_token_id
        told = self._tokenizer.eos_token_id if told is None else told
        return set(told) if isinstance(told, list) else set() if told is None else {told}

    @cached_property
    def _digest(self) -> str:
        """Hex sha256 of configuration, chat template, and every tensor's name, type and bytes."""
        digest = hashlib.sha256(self._network.config.to_json_string(use_diff=False).encode())
        digest.update(repr((self._processor.chat_template, self._tokenizer.chat_template)).encode())
        for name, tensor in sorted(self._network.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()


class GumbelNoise:
    """A logits processor after which the largest logit is a draw from the softmax: scores [B, V] in, [B, V] out."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores with standard Gumbel noise, drawn on the CPU so that a seed means the same on every device."""
        waits = torch.empty(scores.shape, dtype=torch.float64).exponential_(generator=self._generator)
        return scores.double() - waits.log().to(scores.device)


def _drawing(sampling: Sampling) -> Any:
    """The processors by which generate's largest logit is the token to take."""
    temperature = 1.0 if sampling.temperature is None else sampling.temperature
    if temperature == 0:
        return LogitsProcessorList()
    drawing = LogitsProcessorList([TemperatureLogitsWarper(float(temperature))])
    if sampling.top_p is not None and sampling.top_p < 1:
        drawing.append(TopPLogitsWarper(sampling.top_p))
    drawing.append(GumbelNoise(_seed(sampling)))
    return drawing


def _seed(sampling: Sampling) -> int:
    """64 bits that seed and sample number decide; fresh ones where neither is given."""
    if sampling.seed is None and sampling.sample is None:
        return secrets.randbits(63)
    named = hashlib.sha256(repr((sampling.seed, sampling.sample)).encode()).digest()
    return int.from_bytes(named[:8]) >> 1


def _halted(halt: threading.Event) -> Callable[..., torch.Tensor]:
    """A stopping criterion: every row is done once ``halt`` is set."""

    def criterion(input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return torch.full((len(input_ids),), halt.is_set(), dtype=torch.bool, device=input_ids.device)

    return criterion


def _turn(message: Message, sees: bool) -> dict[str, Any]:
    """A message as chat templates read it."""
    if not sees:
        return {"role": message.role, "content": message.text}
    parts = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image", "image": part.pixels()}
        for part in message.parts
    ]
    return {"role": message.role, "content": parts}
