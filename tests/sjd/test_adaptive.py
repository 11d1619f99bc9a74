"""The measured window: it goes where a second brings the most tokens, and changes nothing that is drawn."""

from __future__ import annotations

import pytest
import torch

from paperworks.sjd.adaptive import MeasuredWindow, measured_window
from paperworks.sjd.config import SJDConfig


class Machine:
    """A clock on which a pass of W tokens takes ``fixed + each * W`` seconds."""

    def __init__(self, fixed, each):
        self.fixed, self.each, self.time = fixed, each, 0.0

    def __call__(self):
        return self.time

    def settled(self, acceptance, largest=64, passes=60):
        """What a window of at most ``largest`` comes to when drafts are accepted with that probability each."""
        generator = torch.Generator().manual_seed(0)
        windows = MeasuredWindow(largest, clock=self)
        windows.note(1, torch.tensor([1]), torch.tensor([0]))
        for _ in range(passes):
            width = windows.now
            kept = torch.rand(width - 1, generator=generator) < acceptance
            self.time += self.fixed + self.each * width
            windows.note(width, 1 + kept.long().cumprod(0).sum()[None], torch.tensor([width - 1]))
        return windows.now


@pytest.mark.parametrize("acceptance", [0.5, 0.8, 0.9, 0.97])
@pytest.mark.parametrize("each", [0.0, 0.01, 0.1, 1.0])
def test_it_settles_within_a_fifth_of_the_most_tokens_a_second(each, acceptance):
    def tokens_a_second(width):
        return (1 - acceptance**width) / (1 - acceptance) / (1.0 + each * width)

    settled = Machine(1.0, each).settled(acceptance, passes=400)  # not while a width is tried again
    assert tokens_a_second(settled) > 0.8 * max(map(tokens_a_second, (8, 16, 32, 64)))


def test_where_every_token_costs_the_narrowest_wins():
    assert Machine(fixed=0.0, each=1.0).settled(acceptance=0.8) == 8


def test_where_wide_passes_are_free_and_drafts_are_good_a_wide_one_wins():
    assert Machine(fixed=1.0, each=0.0).settled(acceptance=0.97) >= 32


def test_a_width_at_which_drafts_turn_out_worse_is_not_taken():
    """Narrow passes are cheaper here, but take a token each, where wide ones take ten."""
    machine = Machine(fixed=1.0, each=0.05)
    windows = MeasuredWindow(32, clock=machine)
    windows.note(1, torch.tensor([1]), torch.tensor([0]))
    widths = []
    for _ in range(40):
        widths.append(windows.now)
        machine.time += machine.fixed + machine.each * windows.now
        windows.note(windows.now, torch.tensor([10 if windows.now == 32 else 1]), torch.tensor([windows.now - 1]))
    assert set(widths[21:]) == {32}


def test_a_width_that_was_tried_in_a_busy_moment_gets_another_chance():
    machine, widths = Machine(fixed=1.0, each=0.0), []
    windows = MeasuredWindow(16, clock=machine)
    windows.note(1, torch.tensor([1]), torch.tensor([0]))
    for turn in range(400):
        width = windows.now
        widths.append(width)
        busy = width == 16 and turn < 20
        machine.time += 50 if busy else 1
        windows.note(width, torch.tensor([width - 1]), torch.tensor([width - 1]))
    assert set(widths[14:63]) == {8}
    assert widths.count(16) > widths.count(8)
    assert set(widths[-8:]) == {16}


def test_one_slow_pass_does_not_decide():
    machine = Machine(fixed=1.0, each=0.0)
    windows = MeasuredWindow(16, clock=machine)
    windows.note(1, torch.tensor([1]), torch.tensor([0]))
    for turn in range(30):
        machine.time += 50 if turn in (10, 20) else 1
        windows.note(windows.now, torch.tensor([windows.now - 1]), torch.tensor([windows.now - 1]))
    assert windows.now == 16


def test_every_width_is_tried_before_one_is_chosen():
    machine, seen = Machine(1.0, 0.0), []
    windows = MeasuredWindow(20, clock=machine)
    windows.note(1, torch.tensor([1]), torch.tensor([0]))
    for _ in range(21):
        seen.append(windows.now)
        machine.time += 1
        windows.note(windows.now, torch.tensor([1]), torch.tensor([3]))
    assert seen == [8] * 7 + [16] * 7 + [20] * 7  # three to settle, four that count


def test_a_second_picture_of_a_model_begins_where_the_first_one_came_to():
    model, machine = torch.nn.Identity(), Machine(fixed=1.0, each=0.0)
    first = measured_window(model, 1, 32)
    first.clock = machine
    first.note(1, torch.tensor([1]), torch.tensor([0]))
    for _ in range(25):
        machine.time += 1
        first.note(first.now, torch.tensor([9]), torch.tensor([first.now - 1]))
    second = measured_window(model, 1, 32)
    assert second.now == 32
    assert second.rate(32) == first.rate(32)
    machine.time += 1000  # between two pictures, which is no pass
    second.note(1, torch.tensor([1]), torch.tensor([0]))
    assert second.rate(32) == first.rate(32)
    assert measured_window(model, 2, 32).now == 8  # other batches cost something else
    assert measured_window(torch.nn.Identity(), 1, 32).now == 8


def test_rows_that_have_ended_say_nothing_of_acceptance():
    machine = Machine(1.0, 0.0)
    windows = MeasuredWindow(8, clock=machine)
    for _ in range(4):
        machine.time += 1
        windows.note(8, torch.tensor([4, 0]), torch.tensor([3, 0]))
    assert windows.rate(8) == 8.0


def test_a_largest_window_of_none_is_refused():
    with pytest.raises(ValueError, match="at least 1 token"):
        MeasuredWindow(0)


def test_pictures_stay_the_same_whatever_windows_are_chosen(llama, prompts, speculate):
    ids = prompts(2, 5)
    fixed, _ = speculate(llama, ids, 40, config=SJDConfig.reproducible(seed=3, window=16))
    adaptive, stats = speculate(llama, ids, 40, config=SJDConfig.reproducible(seed=3, window=16, adaptive_window=True))
    assert torch.equal(fixed, adaptive)
    assert [row.tokens for row in stats.per_row] == [40, 40]
