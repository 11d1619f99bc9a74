from .lab import Lab as Lab
from .stats import Estimate as Estimate
from .timing import BenchRow as BenchRow
from .timing import Comparison as Comparison
