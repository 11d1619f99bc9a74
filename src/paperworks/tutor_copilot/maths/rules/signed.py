"""Signs, the order of operations, and powers gone wrong."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ..expressions import NotMathematics, Num, Token, apply, evaluate, parse
from .registry import rule


@rule("signed_add", "ignored_signs", "adds as if there were no signs", prior=3)
def _(a: Fraction, b: Fraction) -> Fraction:
    return abs(a) + abs(b)


@rule("signed_add", "wrong_sign", "gets the size right and the sign wrong", prior=3)
def _(a: Fraction, b: Fraction) -> Fraction:
    return -(a + b)


@rule("signed_add", "sum_made_negative", "adds the sizes and makes the sum negative", prior=2)
def _(a: Fraction, b: Fraction) -> Fraction:
    return -(abs(a) + abs(b))


@rule("signed_add", "difference_of_sizes", "takes the smaller size from the larger")
def _(a: Fraction, b: Fraction) -> Fraction:
    return abs(abs(a) - abs(b))


@rule("signed_add", "difference_made_negative", "takes the smaller size from the larger and makes it negative")
def _(a: Fraction, b: Fraction) -> Fraction:
    return -abs(abs(a) - abs(b))


@rule("signed_sub", "minus_negative_as_minus", "reads minus a negative as plain minus", prior=4)
def _(a: Fraction, b: Fraction) -> Fraction | None:
    return a + b if b < 0 else None


@rule("signed_sub", "wrong_sign", "gets the size right and the sign wrong", prior=2)
def _(a: Fraction, b: Fraction) -> Fraction:
    return b - a


@rule("signed_sub", "ignored_signs", "subtracts as if there were no signs", prior=2)
def _(a: Fraction, b: Fraction) -> Fraction:
    return abs(a) - abs(b)


@rule("signed_sub", "all_positive", "makes everything positive and adds", prior=2)
def _(a: Fraction, b: Fraction) -> Fraction:
    return abs(a) + abs(b)


@rule("signed_sub", "sum_made_negative", "adds the sizes and makes the sum negative")
def _(a: Fraction, b: Fraction) -> Fraction:
    return -(abs(a) + abs(b))


@rule("signed_mul", "sign_wrong", "gets the size right and the sign wrong", prior=4)
def _(a: Fraction, b: Fraction) -> Fraction:
    return -a * b


@rule("signed_mul", "added", "adds instead of multiplying")
def _(a: Fraction, b: Fraction) -> Fraction:
    return a + b


@rule("signed_mul", "sizes_added", "adds the sizes")
def _(a: Fraction, b: Fraction) -> Fraction:
    return abs(a) + abs(b)


def _flat(tokens: Sequence[Token]) -> tuple[list[Fraction], list[str]]:
    """Numbers and the operators between them, without parentheses. Raises NotMathematics where two meet."""
    numbers: list[Fraction] = []
    operators: list[str] = []
    negative = False
    for token in tokens:
        if token in ("(", ")"):
            continue
        if isinstance(token, Num):
            if len(numbers) > len(operators):
                operators.append("*")
            numbers.append(-token.value if negative else token.value)
            negative = False
        elif isinstance(token, str) and len(numbers) > len(operators):
            operators.append(token)
        elif token == "-":
            negative = not negative
        else:
            raise NotMathematics("not a chain of numbers")
    if len(numbers) != len(operators) + 1:
        raise NotMathematics("not a chain of numbers")
    return numbers, operators


def _reduced(tokens: Sequence[Token], levels: Sequence[str]) -> Fraction:
    """A chain worked out by levels: the operators of the first level from the left, then those of the next."""
    numbers, operators = _flat(tokens)
    for level in levels:
        place = 0
        while place < len(operators):
            if operators[place] in level:
                numbers[place : place + 2] = [apply(operators.pop(place), numbers[place], numbers[place + 1])]
            else:
                place += 1
    return numbers[0]


@rule("order", "left_to_right", "works from left to right whatever the operation", prior=5)
def _(tokens: Sequence[Token]) -> Fraction:
    return _reduced(tokens, ["^*/÷+-"])


@rule("order", "addition_first", "adds and subtracts before multiplying", prior=2)
def _(tokens: Sequence[Token]) -> Fraction:
    return _reduced(tokens, ["^", "+-", "*/÷"])


@rule("order", "parentheses_ignored", "leaves the parentheses out", prior=2)
def _(tokens: Sequence[Token]) -> Fraction | None:
    return _reduced(tokens, ["^", "*/÷", "+-"]) if "(" in tokens else None


@rule("order", "multiplication_before_division", "does all multiplications before any division", prior=2)
def _(tokens: Sequence[Token]) -> Fraction | None:
    return _reduced(tokens, ["^", "*", "/÷", "+-"]) if "(" not in tokens else None


@rule("order", "addition_before_subtraction", "does all additions before any subtraction", prior=2)
def _(tokens: Sequence[Token]) -> Fraction | None:
    return _reduced(tokens, ["^", "*/÷", "+", "-"]) if "(" not in tokens else None


@rule("order", "power_last", "multiplies before taking the power")
def _(tokens: Sequence[Token]) -> Fraction | None:
    if "(" in tokens or "^" not in tokens:
        return None
    numbers, operators = _flat(tokens)
    place = operators.index("^")
    if place == 0 or operators[place - 1] != "*":
        return None
    return apply("^", numbers[place - 1] * numbers[place], numbers[place + 1])


@rule("order", "power_as_product", "multiplies base and exponent", prior=2)
def _(tokens: Sequence[Token]) -> Fraction | None:
    return evaluate(parse(["*" if token == "^" else token for token in tokens])) if "^" in tokens else None


@rule("order", "right_to_left", "works from right to left")
def _(tokens: Sequence[Token]) -> Fraction | None:
    if "(" in tokens:
        return None
    numbers, operators = _flat(tokens)
    result = numbers.pop()
    while operators:
        result = apply(operators.pop(), numbers.pop(), result)
    return result


@rule("power", "as_product", "multiplies base and exponent", prior=5)
def _(base: Fraction, exponent: int) -> Fraction:
    return base * exponent


@rule("power", "swapped", "swaps base and exponent")
def _(base: Fraction, exponent: int) -> Fraction | None:
    return Fraction(exponent) ** int(base) if base.denominator == 1 and 0 <= base <= 12 else None


@rule("power", "one_factor_short", "multiplies one time too few")
def _(base: Fraction, exponent: int) -> Fraction | None:
    return base ** (exponent - 1) if exponent > 1 else None


@rule("power", "one_factor_more", "multiplies one time too many")
def _(base: Fraction, exponent: int) -> Fraction:
    return base ** (exponent + 1)


@rule("power", "added", "adds base and exponent")
def _(base: Fraction, exponent: int) -> Fraction:
    return base + exponent


@rule("power", "zeroth_is_zero", "takes the power of 0 to be 0", prior=3)
def _(base: Fraction, exponent: int) -> int | None:
    return 0 if exponent == 0 else None


@rule("power", "zeroth_is_base", "takes the power of 0 to be the base")
def _(base: Fraction, exponent: int) -> Fraction | None:
    return base if exponent == 0 else None


@rule("power", "sign_lost", "loses the sign of the base")
def _(base: Fraction, exponent: int) -> Fraction | None:
    return -(base**exponent) if base < 0 else None
