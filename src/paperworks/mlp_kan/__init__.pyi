from .bumps import FasterKANLinear as FasterKANLinear
from .bumps import RBFKANLinear as RBFKANLinear
from .layers import KANLinear as KANLinear
from .mixture import MLPKAN as MLPKAN
from .mixture import Experts as Experts
from .mixture import MlpKanBlock as MlpKanBlock
from .mixture import SoftMoE as SoftMoE
from .mixture import TopKMoE as TopKMoE
