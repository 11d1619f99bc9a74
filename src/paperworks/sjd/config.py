"""Settings of speculative Jacobi decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .grid import GridSpec
from .scheme import Coupling, Init, Scheme, Verify
from .stats import SJDStats
from .streaming import OnLine

__all__ = ["SJDConfig"]


@dataclass(frozen=True, kw_only=True, eq=False)  # tensors have no single answer to ==
class SJDConfig:
    """How `speculative_jacobi` decodes. No setting but ``guidance_scale`` changes the law of what comes out.

    ``window`` is the number of tokens in a pass: the newest token and up to ``window - 1`` drafts. With
    ``adaptive_window`` that is the most, and every pass has as many as bring most tokens a second, by what passes were
    measured to cost and to accept. ``init``,
    ``coupling`` and ``verify`` are those of `Scheme`; "auto" drafts from the left neighbour's law where there is a
    ``grid``, from the uniform law otherwise. ``image_vocab`` [M] are the ids that random drafts are taken from (all,
    where None). The first ``start_offset`` tokens, and the grid's header, are decoded one by one.

    ``guidance_scale`` g combines two passes, l_u + g (l_c - l_u), the second after ``negative_prompt_ids`` [B or 1, L].
    ``seed``: row b draws by ``seed + b``, or by ``seed[b]``; None takes a seed from torch's global generator, as
    ``generate`` does. ``streamer`` gets the tokens of a single sequence as they are taken; ``on_line`` is called with
    (row of the batch, line, its tokens [width]) for each line of the ``grid`` as soon as it is finished.
    ``last_stats`` holds the `SJDStats` of the latest call.

    Raises ValueError for a window below 1, names that are none, an empty ``image_vocab``, a guidance scale of 0 or
    less, one other than 1 without ``negative_prompt_ids``, and for a first draft from the line above, or ``on_line``,
    without a grid.
    """

    window: int = 32
    init: Init | str = "auto"
    coupling: Coupling = "gumbel"
    verify: Verify = "mrs"
    grid: GridSpec | None = None
    image_vocab: Tensor | None = None
    guidance_scale: float | None = None
    negative_prompt_ids: Tensor | None = None
    start_offset: int = 0
    adaptive_window: bool = False
    seed: int | Sequence[int] | None = None
    streamer: Any = None
    on_line: OnLine | None = None
    last_stats: SJDStats | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window is the number of tokens in a pass, at least 1; not {self.window}")
        if self.start_offset < 0:
            raise ValueError(f"start_offset counts tokens, at least 0; not {self.start_offset}")
        if self.image_vocab is not None and self.image_vocab.numel() == 0:
            raise ValueError("image_vocab is empty: give the ids that drafts may be taken from, or None for all")
        if self.guidance_scale is not None and not self.guidance_scale > 0:
            raise ValueError(f"guidance_scale is above 0, and 1 means none; not {self.guidance_scale}")
        if self.guided and self.negative_prompt_ids is None:
            raise ValueError("guidance_scale needs negative_prompt_ids: the prompt of the pass to be guided away from")
        if self.on_line is not None and self.grid is None:
            raise ValueError("on_line hears of lines of a picture: give the grid that they lie in")
        if self.scheme.vertical and self.grid is None:
            raise ValueError(f"init {self.init!r} drafts from the line above: give the grid that the lines lie in")

    @classmethod
    def paper(cls, **settings: Any) -> SJDConfig:
        """The scheme of the paper: random drafts that are point masses, drawn anew in every pass, windows of 16."""
        return cls(**dict[str, Any]({"window": 16, "init": "onehot", "coupling": "independent"} | settings))

    @classmethod
    def fast(cls, **settings: Any) -> SJDConfig:
        """Fewest passes: drafts by noise that belongs to their position, tested by rejection sampling."""
        return cls(**dict[str, Any]({"window": 32, "coupling": "gumbel", "verify": "mrs"} | settings))

    @classmethod
    def reproducible(cls, **settings: Any) -> SJDConfig:
        """The tokens that plain sampling by the same noise gives, whatever the window: a seed is a picture."""
        return cls(**dict[str, Any]({"window": 32, "coupling": "gumbel", "verify": "gumbel"} | settings))

    @property
    def guided(self) -> bool:
        """Whether there is a second pass to be guided away from."""
        return self.guidance_scale is not None and self.guidance_scale != 1

    @property
    def scheme(self) -> Scheme:
        """``init``, ``coupling`` and ``verify``, with "auto" decided."""
        automatic: Init = "uniform" if self.grid is None else "sample_h"
        init: Any = automatic if self.init == "auto" else self.init
        return Scheme(init=init, coupling=self.coupling, verify=self.verify)

    @property
    def plain_tokens(self) -> int:
        """How many tokens at the start are decoded one by one."""
        return max(self.start_offset, self.grid.header if self.grid else 0)

    def remember(self, stats: SJDStats) -> None:
        """Keep the stats of a call, which a call that returns a plain tensor has no other place for."""
        object.__setattr__(self, "last_stats", stats)
