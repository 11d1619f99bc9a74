"""What the tests of lmul share: one thread, and the tolerance of sums."""

import pytest
import torch

from paperworks import lmul


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def agree():
    """A check that a product equals the elementwise reference but for the order of its sum of |products|."""

    def check(a, b, result, rtol=1e-6, **settings):
        options = {**settings, "backend": "elementwise"}
        plain = lmul.matmul(a, b, **options)
        assert result.shape == plain.shape
        assert result.dtype == plain.dtype
        size = lmul.matmul(a.abs(), b.abs(), **options).double()
        rounding = torch.finfo(plain.dtype).eps
        unequal = (result.double() - plain.double()).abs() > (rtol + rounding) * size
        assert not unequal.any(), (result[unequal][:5], plain[unequal][:5])
        return True

    return check
