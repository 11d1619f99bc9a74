"""What a task on the cluster yields, taken as it comes; its end, its loss and its failure told apart."""

from __future__ import annotations

from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError, TaskCancelledError


class Ended(Exception):
    """The task has yielded all that it had, or was cancelled."""


class Lost(Exception):
    """The task went with the machine, or the process, that it was on."""


class Failed(Exception):
    """The task itself raised an error."""


class Stream:
    """The items of a streaming task."""

    def __init__(self, task: Any, options: dict[str, Any], *arguments: Any) -> None:
        self._items = task.options(num_returns="streaming", scheduling_strategy="SPREAD", **options).remote(*arguments)

    def is_ready(self, timeout_s: float) -> bool:
        """True once `take` would not wait; False after ``timeout_s``."""
        ready, _ = ray.wait([self._items], timeout=timeout_s)
        return bool(ready)

    def take(self) -> Any:
        """The next item. Raises `Ended`, `Lost` or `Failed` where there is none."""
        try:
            return ray.get(next(self._items))
        except (StopIteration, TaskCancelledError) as end:
            raise Ended from end
        except RayTaskError as error:
            raise Failed(f"{type(error.cause).__name__}: {first_line(error.cause)}") from error
        except RayError as error:
            raise Lost(f"{type(error).__name__}") from error

    def cancel(self, *, force: bool = False) -> None:
        """Interrupt the task, which ends its child; with ``force`` its process is killed, and the child goes too."""
        ray.cancel(self._items, force=force)


def first_line(error: Exception) -> str:
    """What an error says, without the pages that Ray adds to it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
