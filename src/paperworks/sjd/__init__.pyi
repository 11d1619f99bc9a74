from .config import SJDConfig as SJDConfig
from .generation import SJDOutput as SJDOutput
from .generation import speculative_jacobi as speculative_jacobi
from .grid import GridSpec as GridSpec
from .stats import RowStats as RowStats
from .stats import SJDStats as SJDStats
