"""Lines of a picture are heard of as soon as they are finished, each once and in order, for every row of a batch."""

from __future__ import annotations

from collections import defaultdict

import pytest
import torch

from paperworks.sjd import GridSpec, SJDConfig

GRID = GridSpec(height=5, width=3, line_end_id=22, image_end_id=21, header=2)


class _Watch:
    """Notes lines, and in which pass they came: a streamer that is called once a pass counts those."""

    def __init__(self):
        self.lines, self.passes, self.came = defaultdict(list), 0, []

    def put(self, tokens):
        self.passes += 1

    def end(self):
        pass

    def line(self, row, line, tokens):
        self.lines[row].append((line, tokens.tolist()))
        self.came.append(self.passes)


@pytest.mark.parametrize("window", [1, 7, 32])
def test_every_line_of_every_row_comes_once_and_in_order(llama, prompts, speculate, window):
    watch = _Watch()
    ours, _ = speculate(llama, prompts(3, 5), GRID.tokens, sjd={"grid": GRID, "on_line": watch.line, "window": window})
    for b, row in enumerate(ours[:, 5:]):
        lines = row[2:22].reshape(5, 4)[:, :3]
        assert watch.lines[b] == list(enumerate(lines.tolist()))


def test_a_line_comes_with_the_pass_that_finished_it(llama, prompts, speculate):
    watch = _Watch()
    _, stats = speculate(
        llama, prompts(1, 5), GRID.tokens, sjd={"grid": GRID, "on_line": watch.line, "streamer": watch, "window": 6}
    )
    taken = torch.tensor(stats.per_row[0].accepted_per_step).cumsum(0)
    first = [int((taken >= 2 + 4 * line + 3).long().argmax()) for line in range(5)]
    assert watch.came == [1 + step for step in first]  # the prompt comes first, and lines before tokens
    assert first[0] < first[-1]


def test_a_picture_that_ends_early_has_fewer_lines(llama, prompts, speculate):
    watch = _Watch()
    whole, _ = speculate(llama, prompts(1, 5), GRID.tokens, sjd={"grid": GRID})
    end = int(whole[0, 5 + 12])
    cut, _ = speculate(llama, prompts(1, 5), GRID.tokens, sjd={"grid": GRID, "on_line": watch.line}, eos_token_id=end)
    assert len(watch.lines[0]) == GRID.finished_lines(cut.shape[1] - 5) < 5


def test_lines_without_a_grid_are_refused():
    with pytest.raises(ValueError, match="give the grid"):
        SJDConfig(on_line=print)
