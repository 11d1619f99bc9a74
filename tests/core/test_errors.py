"""The two errors that a person can mend: their words, and their way from a child process to its parent."""

from __future__ import annotations

import copy
import pickle

import pytest

from paperworks.core import MissingExtra, UserError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("lmul", "torch"), "lmul needs torch: pip install 'paperworks[lmul]'"),
        (("nl_eye", "PIL"), "nl_eye needs PIL: pip install 'paperworks[nl-eye]'"),
        (("the report", "jinja2", "lab"), "the report needs jinja2: pip install 'paperworks[lab]'"),
    ],
)
class TestMissingExtra:
    def test_says_what_to_install(self, given: tuple[str, ...], message: str) -> None:
        assert str(MissingExtra(*given)) == message

    def test_is_an_import_error_that_names_the_module(self, given: tuple[str, ...], message: str) -> None:
        with pytest.raises(ImportError) as caught:
            raise MissingExtra(*given)
        assert caught.value.name == given[1]

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_survives_pickling(self, given: tuple[str, ...], message: str, protocol: int) -> None:
        before = MissingExtra(*given)
        after = pickle.loads(pickle.dumps(before, protocol))
        assert type(after) is MissingExtra
        assert str(after) == message
        assert (after.who, after.package, after.extra, after.name) == (
            before.who,
            before.package,
            before.extra,
            before.name,
        )

    def test_survives_copying(self, given: tuple[str, ...], message: str) -> None:
        assert str(copy.copy(MissingExtra(*given))) == message


def test_a_user_error_is_a_value_error_that_says_its_sentence_and_survives_pickling() -> None:
    before = UserError("there is no paper 'x'; did you mean y?")
    after = pickle.loads(pickle.dumps(before))
    assert isinstance(after, ValueError)
    assert type(after) is UserError
    assert str(after) == str(before) == "there is no paper 'x'; did you mean y?"
