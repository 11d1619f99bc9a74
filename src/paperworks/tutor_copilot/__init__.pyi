from . import rct as rct
from .help.request import Delta as Delta
from .help.request import HelpEngine as HelpEngine
from .help.request import HelpRequest as HelpRequest
from .help.request import HelpUnavailable as HelpUnavailable
from .help.request import Strategy as Strategy
from .help.request import Suggestion as Suggestion
from .help.request import Turn as Turn
