from .boosting import BoostingConfig as BoostingConfig
from .boosting import boost as boost
from .density_forest import ForestConfig as ForestConfig
from .density_forest import ForestModel as ForestModel
from .density_forest import fit_forest as fit_forest
from .domain import Domain as Domain
from .model import EnergyModel as EnergyModel
