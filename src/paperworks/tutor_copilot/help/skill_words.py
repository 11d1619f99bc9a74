"""What can be said of each skill without giving an answer: short sentences that a student of its grade can read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NUDGES", "SAYINGS", "Sayings"]


@dataclass(frozen=True, slots=True)
class Sayings:
    """Sentences about one skill: its idea, a question that makes one think of it, a hint, and a way to go about it."""

    concept: str
    question: str
    hint: str
    way: str


SAYINGS = {
    "int_add": Sayings(
        "When a column adds up to ten or more, the ten moves to the next column.",
        "What do we do when a column adds up to more than nine?",
        "Look at the ones column first: does its sum fit in one digit?",
        "Try breaking each number into tens and ones, then add the parts.",
    ),
    "int_sub": Sayings(
        "When the top digit is too small, we trade one ten for ten ones.",
        "What can we do when the top digit is smaller than the bottom digit?",
        "Look at the ones column: can you take the bottom digit from the top one?",
        "Try a number line: start at the smaller number and count up to the larger one.",
    ),
    "int_mul": Sayings(
        "Each digit stands for ones, tens or hundreds, and so does each part we multiply.",
        "What does each digit stand for when you multiply by it?",
        "Check one part at a time: which place does each product belong to?",
        "Try a box with tens and ones on each side, and fill in each part.",
    ),
    "int_div": Sayings(
        "Dividing asks how many equal groups we can make, and what is left over.",
        "How could you check your answer by multiplying?",
        "Multiply your answer back: do you get the number you started with?",
        "Try it in steps: how many hundreds, then tens, then ones go into each group?",
    ),
    "fraction_add": Sayings(
        "We can only add pieces of the same size, so the bottoms must match first.",
        "Are the pieces of both fractions the same size?",
        "Before you add, can you make both fractions have the same bottom number?",
        "Try drawing both fractions as bars of the same length and cut them into equal pieces.",
    ),
    "fraction_sub": Sayings(
        "We can only take away pieces of the same size, so the bottoms must match first.",
        "Are the pieces of both fractions the same size?",
        "Before you subtract, can you make both fractions have the same bottom number?",
        "Try drawing both fractions as bars and cut them into pieces of one size.",
    ),
    "fraction_mul": Sayings(
        "Multiplying by a fraction means taking a part of a part.",
        "If you take a part of a part, should it be bigger or smaller?",
        "What do we do with the tops, and what with the bottoms, when we multiply?",
        "Try drawing a box: cut it one way for the first fraction, the other way for the second.",
    ),
    "fraction_div": Sayings(
        "Dividing by a fraction asks how many of those pieces fit.",
        "How many pieces of the second size fit into the first number?",
        "Which of the two fractions do we turn over before we multiply?",
        "Try drawing the first fraction, and count how many of the second fit in it.",
    ),
    "fraction_of": Sayings(
        "The bottom tells how many equal parts to make, the top how many of them to take.",
        "Into how many equal parts do we split the number?",
        "First find one part: what is the number split by the bottom?",
        "Try drawing a bar, split it into equal parts, and shade the ones you need.",
    ),
    "simplify": Sayings(
        "A fraction keeps its size when we divide top and bottom by the same number.",
        "Which number goes into both the top and the bottom?",
        "Look for one number that divides the top and the bottom.",
        "Try listing what divides the top and what divides the bottom, then find a match.",
    ),
    "signed_add": Sayings(
        "Adding a negative number moves us to the left on the number line.",
        "Which way do we move on the number line when we add a negative?",
        "Start at the first number: do you go left or right from there?",
        "Try drawing a number line and walk it step by step.",
    ),
    "signed_sub": Sayings(
        "To take away a number, we can add its opposite.",
        "What is the opposite of the number that we take away?",
        "Write it as a sum first: which number would we add?",
        "Try writing it as adding the opposite, then use a number line.",
    ),
    "signed_mul": Sayings(
        "Two equal signs give a plus, two different signs give a minus.",
        "What sign do we get from these two signs?",
        "Look at both signs once more: what do they give?",
        "Try the size first, and then think about the sign.",
    ),
    "order": Sayings(
        "We work out brackets first, then powers, then times and divide from the left, then plus and minus.",
        "Which part do we work out first, and why?",
        "Before you start, circle the step that has to come first.",
        "Try writing it again after each step, with only one thing changed.",
    ),
    "power": Sayings(
        "The small number tells how many times we use the big number as a factor.",
        "What does the small raised number tell us to do?",
        "Write it out as a long times problem first: how many factors are there?",
        "Try writing each factor down, then multiply two at a time.",
    ),
    "decimal_add": Sayings(
        "Only digits of the same place can be added, so the points go under each other.",
        "Which digits are tenths, and which are hundredths?",
        "Check if the points are lined up, one below the other.",
        "Try writing zeros at the end so both numbers have the same length.",
    ),
    "decimal_sub": Sayings(
        "Only digits of the same place can be taken away, so the points go under each other.",
        "Which digits are tenths, and which are hundredths?",
        "Check if the points are lined up, one below the other.",
        "Try writing zeros at the end so both numbers have the same length.",
    ),
    "decimal_mul": Sayings(
        "Before we drop zeros, the product has as many places behind the point as both factors.",
        "About how big should the answer be: more than one or less?",
        "Count the places behind the point in both numbers.",
        "Try it without the points first, then ask where the point must go.",
    ),
    "decimal_div": Sayings(
        "We may move the point the same way in both numbers before we divide.",
        "About how many times does the second number fit into the first?",
        "Move the point in both numbers until you divide by a whole number.",
        "Try to guess the size first, then check by multiplying back.",
    ),
    "percent_of": Sayings(
        "Percent means so many out of each hundred.",
        "What does percent mean in your own words?",
        "Should your answer be more or less than the whole?",
        "Try finding ten percent first, and build up from there.",
    ),
    "linear": Sayings(
        "To undo a step, we do the opposite on both sides.",
        "What was done to the letter, and how can we undo it?",
        "Put your answer back in for the letter: do both sides match?",
        "Try covering the part with the letter: what must it be worth?",
    ),
    "distribute": Sayings(
        "The number outside multiplies each part inside the brackets.",
        "Which parts inside does the number outside belong to?",
        "Check each part inside the brackets: was it multiplied?",
        "Try drawing an arrow from the outside number to each part inside.",
    ),
    "like_terms": Sayings(
        "We can only add terms with the same letter part, like apples with apples.",
        "Which of these terms are of the same kind?",
        "Circle the terms that have the same letter: which ones are left?",
        "Try a number for the letter in both lines: do they match?",
    ),
    "area": Sayings(
        "Area tells how many squares cover the inside of the shape.",
        "Are we looking for the way around, or for what is inside?",
        "How many squares are in one row, and how many rows are there?",
        "Try drawing the shape on squared paper and count the rows.",
    ),
    "perimeter": Sayings(
        "The perimeter is the way all around the shape.",
        "How many sides do we walk along to get all the way around?",
        "Trace the shape with your finger: did you count each side?",
        "Try drawing it and write the length on each of the sides.",
    ),
    "rounding": Sayings(
        "Rounding finds the nearest step, and the next digit tells which one is nearer.",
        "Between which two steps does the number lie?",
        "Look only at the digit right after the place we round to.",
        "Try a number line with the two steps at its ends, and mark the middle.",
    ),
    "mean": Sayings(
        "The mean is what each would get if we shared everything evenly.",
        "If we shared it all evenly, how many shares would there be?",
        "Count how many numbers there are: what do we do with that count?",
        "Try adding all the numbers first, and then share the total evenly.",
    ),
}

NUDGES = {
    "int_add.no_carry": "One column made more than nine: where did its ten go?",
    "int_add.both_digits": "Each column has room for one digit: what do we do with the other?",
    "int_add.left_aligned": "Are ones under ones and tens under tens?",
    "int_sub.smaller_from_larger": "In which order do we take the digits away in each column?",
    "int_sub.borrow_without_decrement": "When you traded a ten for ones, how many tens were left?",
    "int_sub.zero_becomes_nine": "When we trade across a zero, where does that ten come from?",
    "int_mul.no_place_shift": "The second digit stands for tens: where does its product start?",
    "int_mul.like_places_only": "Did each part of the first number meet each part of the second?",
    "int_div.zero_dropped": "Is there a place where nothing could be shared out, and what do we write there?",
    "int_div.remainder_as_decimal": "Is what is left over the same as that many tenths?",
    "fraction_add.num_and_den": "When we add two pieces, does the size of the pieces change?",
    "fraction_add.common_den_no_scaling": "The pieces got smaller: what must happen to how many there are?",
    "fraction_add.one_scaled": "Did both tops change when both bottoms did?",
    "fraction_sub.num_and_den": "When we take pieces away, does the size of the pieces change?",
    "fraction_sub.common_den_no_scaling": "The pieces got smaller: what must happen to how many there are?",
    "fraction_mul.cross_multiplied": "Which numbers go together when we multiply: top with top, or top with bottom?",
    "fraction_mul.den_kept": "When we multiply, do the pieces stay the same size?",
    "fraction_div.no_inversion": "What do we do to the second fraction before we multiply?",
    "fraction_div.first_inverted": "Which one tells the size of the pieces we count?",
    "fraction_of.only_divided": "You found one part: how many parts do we need?",
    "simplify.same_subtracted": "Does taking the same number from top and bottom keep the size?",
    "signed_add.ignored_signs": "What do the minus signs tell us about where to go?",
    "signed_sub.minus_negative_as_minus": "There are two signs next to each other: what do they say together?",
    "order.left_to_right": "Do we always go from left to right, or does one sign come first?",
    "power.as_product": "Is it that many times the number, or the number times itself?",
    "power.zeroth_is_zero": "Look at the pattern when the small number goes down by one each time.",
    "decimal_add.parts_apart": "How many tenths make one whole?",
    "decimal_add.right_aligned": "Are the tenths under the tenths?",
    "decimal_mul.kept_places": "What is a tenth of a tenth called?",
    "percent_of.times_percent": "Can a part be bigger than the whole here?",
    "percent_of.rest": "Is that the part we want, or what is left of it?",
    "linear.wrong_inverse": "To undo adding, do we add or take away?",
    "linear.forgot_divide": "What does the number in front of the letter still tell us?",
    "linear.divided_only_constant": "If we divide one side, what has to happen to each part of it?",
    "distribute.first_term_only": "Did the number outside reach the last part too?",
    "like_terms.unlike_joined": "Can we put a number and a letter term into one?",
    "like_terms.exponents_added": "If you have some apples and get more, do they turn into square apples?",
    "area.perimeter_instead": "Is that the way around it, or the space inside?",
    "perimeter.area_instead": "Is that the space inside, or the way around it?",
    "perimeter.half": "How many sides does the shape have in all?",
    "rounding.truncated": "Which step is nearer: the one below or the one above?",
    "rounding.wrong_place": "Which digit is in the place we round to?",
    "mean.sum_only": "You have the total: is that what each one would get?",
    "mean.median_instead": "Is the mean the middle one, or the even share?",
}
"""A question that goes to the heart of one mistake, by the rule's id."""
