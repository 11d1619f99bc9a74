"""What a library refuses and warns of, as a command says it."""

from __future__ import annotations

import warnings

import pytest

from paperworks.core import UserError
from paperworks.lab import cli


@pytest.mark.parametrize(
    ("error", "also", "said"),
    [
        (ValueError("n is 0: it must be at least 1\nand more"), (), "n is 0: it must be at least 1"),
        (KeyError("there is no column 'y'"), (KeyError,), "there is no column 'y'"),
        (FileNotFoundError("no such model"), (TypeError, FileNotFoundError), "no such model"),
    ],
)
def test_a_refusal_is_one_sentence(error, also, said):
    with pytest.raises(UserError) as found, cli.sentences(*also):
        raise error
    assert str(found.value) == said
    assert found.value.__cause__ is error


def test_what_is_not_named_is_an_error_of_ours():
    with pytest.raises(TypeError), cli.sentences():
        raise TypeError("a mistake in the program")


def test_a_warning_is_a_line_of_its_own_and_said_once(capsys):
    with cli.sentences():
        for _ in range(2):
            warnings.warn("column 'a' never varies", UserWarning, stacklevel=1)
        warnings.warn("gone in the next version", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err.count("column 'a' never varies") == 1
