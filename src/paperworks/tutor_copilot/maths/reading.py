"""The problem in what a tutor wrote, and the answer in what a student replied."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from .expressions import (
    Bin,
    Expression,
    Neg,
    Node,
    NotMathematics,
    Num,
    Token,
    Var,
    evaluate,
    normal,
    parse,
    show,
    tokens_of,
    variables,
)
from .problem import Answer, Problem, algebra
from .words import spelled_out

__all__ = ["answers_in", "problem_in", "problem_of"]

PLACES = {
    "thousand": Fraction(1000), "hundred": Fraction(100), "ten": Fraction(10), "whole number": Fraction(1),
    "one": Fraction(1), "unit": Fraction(1), "tenth": Fraction(1, 10), "hundredth": Fraction(1, 100),
}  # fmt: skip
_AMOUNT = r"-?\d+(?:\.\d+)?"
_SIZE = r"\d+(?:\.\d+)?"
_ROUND = re.compile(
    rf"round(?:ed|ing)?\s+({_AMOUNT})\s+(?:off\s+)?to\s+(?:the\s+)?(?:nearest\s+)?"
    r"(thousand|hundredth|hundred|tenth|ten|whole number|one|unit)s?\b"
)
_RECTANGLE = re.compile(
    rf"\b(area|perimeter)\b[^\d]*({_SIZE})\s*(?:cm|m|in|ft|inches|feet|meters|units)?\s*(?:\*|by|and|long and|wide and)"
    rf"\s*(?:a width of |width )?({_SIZE})"
)
_MEAN = re.compile(rf"\b(?:mean|average)\b[^\d-]*((?:{_AMOUNT}(?:\s*,?\s*(?:and\s+)?))+)")
_PERCENT = re.compile(rf"({_SIZE})\s*(?:%|percent|per cent)\s*of\s*({_SIZE})")
_FRACTION_OF = re.compile(rf"(\d+)\s*/\s*(\d+)\s*of\s*({_SIZE})")
_SIMPLIFY = re.compile(
    r"\b(?:simplify|reduce|simplest form of|lowest terms[^\d]*)\s*:?\s*(\d+)\s*/\s*(\d+)(?!\s*[-+*/\d])"
)
_REASON = re.compile(r"\b(?:because|since|cause|cuz|so that|bc)\b")
_WORD = re.compile(r"[a-z]*['’][a-z]*|[a-z]{2,}|[?!;$\"]|,(?=\s)|(?<![\d ])(?<!\d ):|\.(?=\s|$)")
_SCANNED = 400
_LONE = re.compile(r"(?<![\d)^*/+=-])\s+[ai]\s+(?![-+*/^=(])|^\s*[ai]\s+(?![-+*/^=(])")


def problem_in(text: str) -> Problem | None:
    """The last problem in a message, or None where no skill of `SKILLS` is found in it."""
    plain = normal(spelled_out(text))
    for reader in _BY_WORDS:
        if found := reader(plain):
            return found
    for expression, right in reversed(list(_expressions(plain))):
        try:
            if found := _of_equation(expression, right) if right is not None else _of_expression(expression):
                return found
        except NotMathematics:
            continue
    return None


def problem_of(text: str) -> Problem:
    """The problem that is the whole of ``text``. Raises NotMathematics where there is none."""
    found = problem_in(text)
    if found is None:
        raise NotMathematics(f"no problem is found in {text[:60]!r}")
    return found


def answers_in(text: str) -> list[Answer]:
    """What a student's reply may give as the answer, the likeliest first; reasons ("because ...") are left out.

    Of an equation it is the right side: "x = 10", "52 - 17 = 45".
    """
    plain = normal(_REASON.split(spelled_out(text))[0])
    found: list[Answer] = []
    for expression, right in reversed(list(_expressions(plain, alone=True))):
        tree = expression.tree if right is None else right.tree
        try:
            value: Answer = algebra(tree) if variables(tree) else evaluate(tree)
        except NotMathematics:
            continue
        found.append(value)
    return found


def _expressions(plain: str, *, alone: bool = False) -> Iterator[tuple[Expression, Expression | None]]:
    """The expressions of a text in order, with their right side where they are equations.

    ``alone`` takes single numbers too. A right side that is missing or asked for ("= ?") is none.
    """
    for piece in _LONE.sub("\n", _WORD.sub("\n", plain)).split("\n"):
        try:
            tokens = tokens_of(piece)
        except NotMathematics:
            continue
        left, right = _sides(tokens)
        try:
            read = _read(left)
            answer = _read(right) if right else None
        except NotMathematics:
            continue
        if alone or not isinstance(read.tree, Num | Var | Neg):
            yield read, answer


def _sides(tokens: list[Token]) -> tuple[list[Token], list[Token]]:
    if "=" not in tokens:
        return tokens, []
    last = len(tokens) - 1 - tokens[::-1].index("=")
    first = tokens.index("=")
    return tokens[:first], tokens[last + 1 :]


def _read(tokens: list[Token]) -> Expression:
    return Expression(tuple(tokens), parse(tokens))


def _of_equation(left: Expression, right: Expression) -> Problem | None:
    """a x + b = c in one variable, or arithmetic with a right side that the student gave."""
    names = variables(left.tree) | variables(right.tree)
    if not names:
        return _of_expression(left)
    if len(names) > 1:
        return None
    import sympy

    symbol = sympy.Symbol(names.pop())
    sides = [sympy.Poly(algebra(side.tree), symbol) for side in (left, right)]
    if sides[0].degree() != 1 or sides[1].degree() > 0:
        return None
    a, b, c = (
        _fraction(sides[0].coeff_monomial(symbol)),
        _fraction(sides[0].coeff_monomial(1)),
        _fraction(sides[1].coeff_monomial(1)),
    )
    text = f"{_written(left)} = {_written(right)}"
    return Problem("linear", (a, b, c, symbol.name), text, (c - b) / a, left)


def _fraction(number: object) -> Fraction:
    return Fraction(int(number.p), int(number.q))  # type: ignore[attr-defined]


def _of_expression(expression: Expression) -> Problem | None:
    if variables(expression.tree):
        return _of_algebra(expression)
    skill, operands = _arithmetic(expression)
    return Problem(skill, operands, _written(expression), evaluate(expression.tree), expression)


def _of_algebra(expression: Expression) -> Problem | None:
    """k (a x + m), or a sum of terms."""
    tree = expression.tree
    if isinstance(tree, Bin) and tree.op == "*":
        factor, inside = (tree.left, tree.right) if isinstance(tree.left, Num | Neg) else (tree.right, tree.left)
        if isinstance(inside, Bin) and inside.op in "+-" and not variables(factor):
            first, second = algebra(inside.left), algebra(inside.right)
            second = second if inside.op == "+" else -second
            return Problem(
                "distribute", (evaluate(factor), first, second), _written(expression), algebra(tree), expression
            )
        return None
    terms = [algebra(term) for term in _terms(tree)]
    if len(terms) < 2 or not all(term.is_number or len(term.free_symbols) == 1 for term in terms):
        return None
    return Problem("like_terms", tuple(terms), _written(expression), algebra(tree), expression)


def _terms(tree: Node, sign: int = 1) -> Iterator[Node]:
    match tree:
        case Bin(op="+"):
            yield from _terms(tree.left, sign)
            yield from _terms(tree.right, sign)
        case Bin(op="-"):
            yield from _terms(tree.left, sign)
            yield from _terms(tree.right, -sign)
        case Neg():
            yield from _terms(tree.of, -sign)
        case _:
            yield tree if sign > 0 else Neg(tree)


_NAMES = {"+": "add", "-": "sub", "*": "mul", "/": "div"}


def _arithmetic(expression: Expression) -> tuple[str, tuple[object, ...]]:
    """The skill of an arithmetic expression and its operands: two numbers, or the tokens."""
    tree = expression.tree
    if not isinstance(tree, Bin):
        raise NotMathematics("a number alone is no problem")
    pair = (_leaf(tree.left), _leaf(tree.right))
    left, right = pair
    if left is None or right is None:
        return "order", (expression.tokens,)
    if tree.op == "^":
        return "power", (left.value, int(right.value))
    forms = {left.form, right.form}
    whole = forms == {"integer"}
    below_zero = whole and tree.op == "-" and left.value < right.value
    if left.value < 0 or right.value < 0 or below_zero:
        if not whole or tree.op == "/":
            return "order", (expression.tokens,)
        return f"signed_{_NAMES[tree.op]}", (left.value, right.value)
    if forms & {"fraction", "mixed"} and not forms & {"decimal", "percent"}:
        return f"fraction_{_NAMES[tree.op]}", (_as_fraction(left), _as_fraction(right))
    if "decimal" in forms and forms <= {"decimal", "integer"}:
        return f"decimal_{_NAMES[tree.op]}", (left, right)
    if whole:
        return f"int_{_NAMES[tree.op]}", (int(left.value), int(right.value))
    return "order", (expression.tokens,)


def _leaf(node: Node) -> Num | None:
    if isinstance(node, Neg) and isinstance(node.of, Num):
        return Num(-node.of.value, node.of.form, f"-{node.of.text}")
    return node if isinstance(node, Num) else None


def _as_fraction(number: Num) -> tuple[int, int]:
    """Numerator and denominator as written, unsimplified; a mixed number as one fraction."""
    if number.form == "mixed":
        whole, n, d = number.parts
        return whole * d + n, d
    return (number.parts[0], number.parts[1]) if number.form == "fraction" else (int(number.value), 1)


def _written(expression: Expression) -> str:
    """The expression with house spacing."""
    text = ""
    for place, token in enumerate(expression.tokens):
        before = expression.tokens[place - 1] if place else None
        if isinstance(token, Num):
            text += token.text + "%" * (token.form == "percent")
        elif isinstance(token, Var):
            text += token.name
        elif token in "^()":
            text += token
        elif token == "-" and (before is None or (isinstance(before, str) and before != ")")):
            text += "−"
        else:
            text += f" {_SIGN.get(token, token)} "
    return text


_SIGN = {"*": "×", "-": "−"}


def _rounding(plain: str) -> Problem | None:
    if not (found := _last(_ROUND, plain)):
        return None
    value, place = Fraction(found[1]), PLACES[found[2]]
    return Problem("rounding", (value, place), f"round {found[1]} to the nearest {found[2]}", rounded(value, place))


def rounded(value: Fraction, place: Fraction) -> Fraction:
    """``value`` to the nearest multiple of ``place``, halves away from 0 as schools round."""
    steps = abs(value) / place
    whole = int(steps + Fraction(1, 2))
    return whole * place * (1 if value >= 0 else -1)


def _rectangle(plain: str) -> Problem | None:
    if not (found := _last(_RECTANGLE, plain)):
        return None
    length, width = Fraction(found[2]), Fraction(found[3])
    answer = length * width if found[1] == "area" else 2 * (length + width)
    return Problem(found[1], (length, width), f"{found[1]} of a {found[2]} by {found[3]} rectangle", answer)


def _mean(plain: str) -> Problem | None:
    if not (found := _last(_MEAN, plain)):
        return None
    values = tuple(Fraction(value) for value in re.findall(_AMOUNT, found[1]))
    if len(values) < 2:
        return None
    return Problem("mean", values, "mean of " + ", ".join(map(show, values)), sum(values, Fraction(0)) / len(values))


def _percent(plain: str) -> Problem | None:
    if not (found := _last(_PERCENT, plain)):
        return None
    p, n = Fraction(found[1]), Fraction(found[2])
    return Problem("percent_of", (p, n), f"{found[1]}% of {found[2]}", p * n / 100)


def _fraction_of(plain: str) -> Problem | None:
    if not (found := _last(_FRACTION_OF, plain)) or int(found[2]) == 0:
        return None
    a, b, n = int(found[1]), int(found[2]), Fraction(found[3])
    return Problem("fraction_of", (a, b, n), f"{a}/{b} of {found[3]}", Fraction(a, b) * n)


def _simplify(plain: str) -> Problem | None:
    if not (found := _last(_SIMPLIFY, plain)) or int(found[2]) == 0:
        return None
    a, b = int(found[1]), int(found[2])
    return Problem("simplify", (a, b), f"{a}/{b} in lowest terms", Fraction(a, b))


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    *_, found = (None, *pattern.finditer(text[:_SCANNED]))
    if found and any(len(digits) > 12 for digits in re.findall(r"\d+", found[0])):
        return None
    return found


_BY_WORDS: tuple[Callable[[str], Problem | None], ...] = (
    _rounding,
    _rectangle,
    _mean,
    _percent,
    _fraction_of,
    _simplify,
)
