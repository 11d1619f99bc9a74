"""What a pass of a large model would take on an accelerator at best: a projection by its data sheet, no measurement."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["H200", "LUMINA", "Accelerator", "LargeModel", "projected_speedup"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """``bandwidth`` in bytes a second and ``flops``, dense operations a second in bfloat16."""

    name: str
    bandwidth: float
    flops: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeModel:
    """A model in bfloat16: ``parameters``, and ``layers`` of ``width`` in which every head has its own keys.

    A picture takes ``tokens``, in ``rows`` sequences: 2 with guidance.
    """

    name: str
    parameters: float
    layers: int
    width: int
    tokens: int
    rows: int

    def pass_seconds(self, window: int, machine: Accelerator) -> float:
        """The larger of two times: to read weights and a half-full cache once, to multiply for ``window`` tokens."""
        cache = 2 * 2 * self.layers * self.width * self.rows * self.tokens / 2
        reading = (2 * self.parameters + cache) / machine.bandwidth
        return max(reading, 2 * self.parameters * self.rows * window / machine.flops)


H200 = Accelerator(name="H200", bandwidth=4.8e12, flops=989e12)
"""NVIDIA's data sheet."""
LUMINA = LargeModel(name="7B as Lumina-mGPT", parameters=7e9, layers=32, width=4096, tokens=2357, rows=2)


def projected_speedup(compression: float, window: int, model: LargeModel, machine: Accelerator) -> float:
    """How many times faster a picture would be with ``compression`` times fewer passes, of ``window`` tokens each.

    Launches, and the sampler, are left out on both sides: a sampler that takes a twentieth of a pass takes a twentieth
    off.
    """
    return compression * model.pass_seconds(1, machine) / model.pass_seconds(window, machine)
