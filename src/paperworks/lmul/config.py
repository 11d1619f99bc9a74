"""The settings of an L-Mul model, in the one class that :func:`lmul.convert` and transformers both read.

transformers accepts a ``quantization_config`` only from its own base class; where transformers is not installed the
settings work without it. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, ClassVar

from .formats import ROUNDINGS, VARIANTS

if TYPE_CHECKING:
    QuantizationConfigMixin = object  # to a type checker, the settings are the plain dataclass below
else:
    try:
        from transformers.utils.quantization_config import QuantizationConfigMixin
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "transformers":
            raise
        QuantizationConfigMixin = object

__all__ = ["ARITHMETIC", "ELEMENTWISE", "PRODUCTS", "LMulConfig"]

PRODUCTS = ("qk", "pv")
ELEMENTWISE = ("gate", "rope", "norm")

_CHOICES: dict[str, tuple[Any, ...]] = {
    "variant": VARIANTS,
    "rounding": ROUNDINGS,
    "targets": ("attention", "linear", "all"),
    "grad": ("ste", "lmul", "exact"),
    "accumulate": ("fp32", "bf16", "fp8_e4m3"),
    "exponent_bits": (None, 4, 5),
    "scale": (None, "tensor", "row"),
}
ARITHMETIC = (
    "mantissa_bits",
    "variant",
    "rounding",
    "offset",
    "backend",
    "accumulate",
    "grad",
    "exponent_bits",
    "scale",
)
_WIDEST_MANTISSA = 52


@dataclass(unsafe_hash=True)  # frozen by __setattr__: a frozen dataclass cannot have transformers' base
class LMulConfig(QuantizationConfigMixin):
    """Which multiplications of a model become L-Mul, and how each is done. Frozen; use ``replace`` for a variation.

    ``mantissa_bits`` k: bits kept of each operand's mantissa, None for all that the operand's dtype has.
    ``variant``: ``"carry"`` is the integer adder, ``"formula"`` the printed equation (section 2.2 of the paper).
    ``rounding`` of operands to k bits: ``"truncate"`` (the paper's), ``"nearest"``, ``"stochastic"``.
    ``targets``: ``"attention"`` (both products of it), ``"linear"`` (nn.Linear and transformers' Conv1D), ``"all"``.
    ``grad``: ``"ste"`` (the ordinary product's), ``"lmul"`` (its two products by L-Mul too), ``"exact"`` (almost
    everywhere). ``accumulate``: what the running sum is kept in. ``backend``, ``offset``, ``exponent_bits`` and
    ``scale``: see :func:`lmul.matmul`.

    ``skip``: glob patterns over module names whose products stay ordinary; a pattern may be any run of whole
    components, so that ``"lm_head"``, ``"layers.0"`` and ``"layers.*.mlp"`` skip what they name and all beneath it.
    ``products``: which products of attention: ``"qk"`` (queries with keys), ``"pv"`` (weights with values).
    ``elementwise``: which products outside matrices, in models of the Llama, Mistral, Qwen2 and Gemma 2 families:
    ``"gate"`` (of a gated network), ``"rope"`` (rotary embeddings), ``"norm"`` (both scalings of an RMS norm).

    Raises ValueError for a choice or a number that does not exist, and TypeError for the wrong type.
    """

    mantissa_bits: int | None = 4
    variant: str = "carry"
    rounding: str = "truncate"
    targets: str = "attention"
    grad: str = "ste"
    skip: Sequence[str] = ("lm_head",)
    accumulate: str = "fp32"
    backend: str = "auto"
    products: Sequence[str] = PRODUCTS
    elementwise: Sequence[str] = ()
    offset: str | float = "paper"
    exponent_bits: int | None = None
    scale: str | None = None

    quant_method: ClassVar[str] = "lmul"

    def __post_init__(self) -> None:
        _check_bits(self.mantissa_bits)
        for name, choices in _CHOICES.items():
            _check_choice(name, getattr(self, name), choices)
        for name in ("skip", "products", "elementwise"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        for product in self.products:
            _check_choice("products", product, PRODUCTS)
        for kind in self.elementwise:
            _check_choice("elementwise", kind, ELEMENTWISE)
        if self.offset != "paper" and (isinstance(self.offset, str) or not 0 <= self.offset < 1):
            raise ValueError(f"offset must be 'paper' or a number from 0 up to 1, not {self.offset!r}")
        if self.scale is not None and self.exponent_bits is None:
            raise ValueError("scale shifts a limited exponent range: give exponent_bits=4 or 5 with it")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise FrozenInstanceError(f"LMulConfig is frozen: use replace({name}={value!r}) for a changed copy")
        object.__setattr__(self, name, value)

    @property
    def attention(self) -> bool:
        """Whether attention is converted."""
        return self.targets != "linear"

    @property
    def linear(self) -> bool:
        """Whether linear layers are converted."""
        return self.targets != "attention"

    @property
    def arithmetic(self) -> dict[str, Any]:
        """The keyword arguments of :func:`lmul.matmul` and :class:`lmul.LMulLinear`."""
        return {name: getattr(self, name) for name in ARITHMETIC}

    def covers(self, module_name: str) -> bool:
        """Whether ``skip`` lets the module of this dotted name be converted; a pattern's dots bound its components."""
        return not any(fnmatchcase(f".{module_name}.", f"*.{pattern}.*") for pattern in self.skip)

    def replace(self, **changes: Any) -> LMulConfig:
        """The same settings with some changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, with ``quant_method`` among them: what config.json stores."""
        settings = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        return {"quant_method": self.quant_method, **settings}

    def __iter__(self) -> Any:
        """The items of :meth:`to_dict`, which is how transformers spells ``dict(config)``."""
        yield from self.to_dict().items()

    @classmethod
    def from_dict(cls, config_dict: Mapping[str, Any], return_unused_kwargs: bool = False, **kwargs: Any) -> Any:
        """Settings from :meth:`to_dict`; keywords that name a setting override it.

        With ``return_unused_kwargs`` returns (settings, the other keywords), as transformers asks.
        Raises ValueError for a setting or a quantisation method that is not L-Mul's.
        """
        known = {field.name for field in fields(cls)}
        given = dict(config_dict)
        method = given.pop("quant_method", cls.quant_method)
        if method != cls.quant_method:
            raise ValueError(f"these are settings of {method!r}, not of 'lmul'")
        if unknown := sorted(set(given) - known):
            raise ValueError(f"unknown L-Mul settings {', '.join(unknown)}: choose from {', '.join(sorted(known))}")
        config = cls(**{**given, **{name: value for name, value in kwargs.items() if name in known}})
        unused = {name: value for name, value in kwargs.items() if name not in known}
        return (config, unused) if return_unused_kwargs else config


def _check_bits(bits: int | None) -> None:
    if bits is None:
        return
    if not isinstance(bits, int) or isinstance(bits, bool):
        raise TypeError(f"mantissa_bits must be a whole number or None, not {bits!r}")
    if not 1 <= bits <= _WIDEST_MANTISSA:
        raise ValueError(f"mantissa_bits must lie in 1..{_WIDEST_MANTISSA} (or be None for all), not {bits}")


def _check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}: choose {', '.join(map(repr, choices))}")


def _names(name: str, values: Sequence[str]) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{name} must be a sequence of strings such as ('lm_head',), not {values!r}")
    return tuple(values)
