"""Column arithmetic gone wrong. Operands are two integers, 0 or more; digits are read from the right."""

from __future__ import annotations

from fractions import Fraction
from itertools import zip_longest

from .registry import rule


def _digits(n: int) -> list[int]:
    return [int(digit) for digit in reversed(str(n))]


def _columns(a: int, b: int) -> list[tuple[int, int]]:
    return list(zip_longest(_digits(a), _digits(b), fillvalue=0))


def _joined(digits: list[int]) -> int:
    """The number whose entries, from the right, are written side by side."""
    return int("".join(map(str, reversed(digits))))


@rule("int_add", "no_carry", "adds each column and leaves the carry out", prior=3)
def _(a: int, b: int) -> int:
    return _joined([(x + y) % 10 for x, y in _columns(a, b)])


@rule("int_add", "both_digits", "writes both digits of a column's sum instead of carrying", prior=3)
def _(a: int, b: int) -> int:
    return _joined([x + y for x, y in _columns(a, b)])


@rule("int_add", "wrong_digit_carried", "writes the tens of a column's sum and carries the ones")
def _(a: int, b: int) -> int:
    written, carry = [], 0
    for x, y in _columns(a, b):
        total = x + y + carry
        carry, digit = (total % 10, total // 10) if total > 9 else (0, total)
        written.append(digit)
    return _joined([*written, carry] if carry else written)


@rule("int_add", "always_carries", "carries one into every next column")
def _(a: int, b: int) -> int:
    columns = _columns(a, b)
    return _joined([(x + y + (place > 0)) % 10 for place, (x, y) in enumerate(columns)])


@rule("int_add", "last_carry_lost", "leaves out the carry from the last column")
def _(a: int, b: int) -> int:
    return int(str(a + b)[-max(len(str(a)), len(str(b))) :])


@rule("int_add", "left_aligned", "lines the numbers up at the left instead of by place")
def _(a: int, b: int) -> int | None:
    longer, shorter = sorted((a, b), key=lambda n: -len(str(n)))
    shift = len(str(longer)) - len(str(shorter))
    return longer + shorter * 10**shift if shift else None


@rule("int_add", "all_digits_summed", "adds up all the digits", prior=0.5)
def _(a: int, b: int) -> int:
    return sum(_digits(a)) + sum(_digits(b))


@rule("int_add", "subtracted", "subtracts instead of adding", prior=0.7)
def _(a: int, b: int) -> int:
    return abs(a - b)


@rule("int_add", "multiplied", "multiplies instead of adding", prior=0.5)
def _(a: int, b: int) -> int:
    return a * b


@rule("int_sub", "smaller_from_larger", "takes the smaller digit from the larger in each column", prior=4)
def _(a: int, b: int) -> int:
    return _joined([abs(x - y) for x, y in _columns(a, b)])


@rule("int_sub", "borrow_without_decrement", "borrows ten without taking one from the next column", prior=2)
def _(a: int, b: int) -> int:
    return _joined([x - y + 10 * (x < y) for x, y in _columns(a, b)])


@rule("int_sub", "zero_instead_of_borrow", "writes 0 where the top digit is too small")
def _(a: int, b: int) -> int:
    return _joined([max(x - y, 0) for x, y in _columns(a, b)])


@rule("int_sub", "borrow_twice", "takes ten away once too often when borrowing")
def _(a: int, b: int) -> int | None:
    return a - b - 10 if any(x < y for x, y in _columns(a, b)) else None


@rule("int_sub", "zero_becomes_nine", "turns a 0 into 9 when borrowing without borrowing further on", prior=2)
def _(a: int, b: int) -> int | None:
    written, owed = [], 0
    crossed = False
    for x, y in _columns(a, b):
        if owed and x == 0:
            top, crossed, owed = 9, True, 0
        else:
            top, owed = x - owed, 0
        if top < y:
            top, owed = top + 10, 1
        written.append(top - y)
    return _joined(written) if crossed else None


@rule("int_sub", "from_zero_gives_the_digit", "takes a digit from 0 and gets the digit")
def _(a: int, b: int) -> int | None:
    if not any(x == 0 < y for x, y in _columns(a, b)):
        return None
    written, owed = [], 0
    for x, y in _columns(a, b):
        if x == 0 < y:
            written.append(y)
            continue
        top, owed = x - owed, 0
        if top < y:
            top, owed = top + 10, 1
        written.append(top - y)
    return _joined(written)


@rule("int_sub", "from_zero_gives_zero", "takes a digit from 0 and gets 0")
def _(a: int, b: int) -> int | None:
    columns = _columns(a, b)
    if not any(x == 0 < y for x, y in columns) or any(x < y for x, y in columns if x):
        return None
    return _joined([0 if x == 0 else x - y for x, y in columns])


@rule("int_sub", "added", "adds instead of subtracting", prior=0.7)
def _(a: int, b: int) -> int:
    return a + b


@rule("int_sub", "reversed", "takes the first number from the second", prior=0.7)
def _(a: int, b: int) -> int:
    return b - a


@rule("int_mul", "no_place_shift", "adds the partial products without moving them to their place", prior=3)
def _(a: int, b: int) -> int | None:
    return sum(a * digit for digit in _digits(b)) if b > 9 else None


@rule("int_mul", "like_places_only", "multiplies ones by ones and tens by tens only", prior=2)
def _(a: int, b: int) -> list[int] | None:
    if min(a, b) < 10:
        return None
    pairs = _columns(a, b)
    return [
        sum(x * y * 10**place for place, (x, y) in enumerate(pairs)),
        sum(x * y * 100**place for place, (x, y) in enumerate(pairs)),
    ]


@rule("int_mul", "table_off_by_one", "is one step off in the times table", prior=2)
def _(a: int, b: int) -> list[int] | None:
    if max(a, b) > 12:
        return None
    return [a * (b - 1), a * (b + 1), (a - 1) * b, (a + 1) * b]


@rule("int_mul", "no_carry", "leaves the carries out", prior=2)
def _(a: int, b: int) -> int | None:
    return _joined([x * b % 10 for x in _digits(a)]) if b < 10 <= a else None


@rule("int_mul", "both_digits", "writes both digits of each product instead of carrying")
def _(a: int, b: int) -> int | None:
    return _joined([x * b for x in _digits(a)]) if b < 10 <= a else None


@rule("int_mul", "carry_before_product", "adds the carry to the next digit before multiplying")
def _(a: int, b: int) -> int | None:
    if not b < 10 <= a:
        return None
    written, carry = [], 0
    for x in _digits(a):
        carry, digit = divmod((x + carry) * b, 10)
        written.append(digit)
    return _joined([*written, carry] if carry else written)


@rule("int_mul", "zeros_lost", "leaves off zeros at the end")
def _(a: int, b: int) -> list[int] | None:
    product = a * b
    if not product or product % 10:
        return None
    zeros = len(str(product)) - len(str(product).rstrip("0"))
    return [product // 10**count for count in range(1, zeros + 1)]


@rule("int_mul", "one_zero_too_many", "puts on a zero too many")
def _(a: int, b: int) -> int | None:
    return 10 * a * b if (a % 10 == 0 or b % 10 == 0) and a * b else None


@rule("int_mul", "zero_keeps_the_number", "multiplies by 0 and keeps the number")
def _(a: int, b: int) -> int | None:
    return max(a, b) if a == 0 or b == 0 else None


@rule("int_mul", "added", "adds instead of multiplying")
def _(a: int, b: int) -> int:
    return a + b


@rule("int_div", "reversed", "divides the second number by the first")
def _(a: int, b: int) -> Fraction | None:
    return Fraction(b, a) if a else None


@rule("int_div", "zero_dropped", "leaves a 0 out of the quotient", prior=3)
def _(a: int, b: int) -> int | None:
    quotient = str(a // b)
    return int(quotient.replace("0", "")) if "0" in quotient[1:] else None


@rule("int_div", "remainder_as_decimal", "writes the remainder behind the point", prior=2)
def _(a: int, b: int) -> str | None:
    return f"{a // b}.{a % b}" if a % b else None


@rule("int_div", "remainder_ignored", "leaves the remainder out", prior=2)
def _(a: int, b: int) -> int | None:
    return a // b if a % b else None


@rule("int_div", "rounded_up", "counts the remainder as one more")
def _(a: int, b: int) -> int | None:
    return a // b + 1 if a % b else None


@rule("int_div", "table_off_by_one", "is one step off in the times table")
def _(a: int, b: int) -> list[int] | None:
    return [a // b - 1, a // b + 1] if a % b == 0 and a // b <= 12 else None


@rule("int_div", "digit_by_digit", "divides each digit on its own and drops what is left over")
def _(a: int, b: int) -> int | None:
    return int("".join(str(int(digit) // b) for digit in str(a))) if 0 < b < 10 <= a else None


@rule("int_div", "subtracted", "subtracts instead of dividing", prior=0.7)
def _(a: int, b: int) -> int:
    return a - b


@rule("int_div", "multiplied", "multiplies instead of dividing", prior=0.7)
def _(a: int, b: int) -> int:
    return a * b
