from .error_table import error_table as error_table
from .layers import LMulLinear as LMulLinear
from .layers import linear as linear
from .matmul import matmul as matmul
from .multiply import mul as mul
from .offset import optimal_offset as optimal_offset
from .operands import quantize as quantize
