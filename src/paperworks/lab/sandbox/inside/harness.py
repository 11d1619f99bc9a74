"""Runs the untrusted code and says what came of it, within the walls and in the same interpreter as that code.

Nothing that is said here is believed for more than it is: the code can say the same by itself. The parent holds the
expected values and the clock, and compares.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from . import values
from .job import MAIN, Job

_MOST_TRACEBACK = 8000
_MOST_MESSAGE = 500
Say = Callable[[dict[str, Any]], None]


def run(job: Job, channel: int) -> None:
    """Run ``job``; write one line of JSON to ``channel`` for each input of a function, and one at the end."""
    say = _writer(channel)
    module = _main_module()
    end: dict[str, Any] = {"end": "ok"}
    try:
        exec(compile(job.code, MAIN, "exec", dont_inherit=True), module.__dict__)
        if job.function is not None:
            for outcome in _calls(module, job.function, job.inputs):
                say({"outcome": outcome})
        if job.value is not None:
            end["value"] = values.encode(eval(job.value, module.__dict__))
    except SystemExit as stop:
        end = {"end": "exited", "code": stop.code if isinstance(stop.code, int) else int(stop.code is not None)}
    except BaseException as error:
        end = {"end": "error", "error": _described(error)}
    _flush()
    say(end)


def _main_module() -> ModuleType:
    module = ModuleType("__main__")
    module.__dict__["__file__"] = MAIN
    sys.modules["__main__"] = module
    return module


def _calls(module: ModuleType, function: str, inputs: str) -> Iterator[dict[str, Any]]:
    """The outcome for each input, in order; its arguments are made anew for each."""
    called = eval(function, module.__dict__)
    for positional, named in json.loads(inputs):
        try:
            yield {"value": values.encode(called(*values.decode(positional), **values.decode(named)))}
        except SystemExit as stop:
            yield {"error": _described(stop)}
        except BaseException as error:
            yield {"error": _described(error)}


def _described(error: BaseException) -> dict[str, str]:
    try:
        message = str(error)
    except BaseException:
        message = "(its message cannot be made)"
    try:
        text = "".join(traceback.format_exception(type(error), error, _own_frames_left_out(error)))
    except BaseException:
        text = ""
    return {
        "type": type(error).__qualname__[:_MOST_MESSAGE],
        "message": message[:_MOST_MESSAGE],
        "traceback": text[-_MOST_TRACEBACK:],
    }


def _own_frames_left_out(error: BaseException) -> Any:
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return frames


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            continue


def _writer(channel: int) -> Say:
    def say(record: dict[str, Any]) -> None:
        left = memoryview(json.dumps(record).encode() + b"\n")
        while left:
            left = left[os.write(channel, left) :]

    return say
