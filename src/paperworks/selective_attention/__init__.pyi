from .attention import attend as attend
from .attention import selective_attention as selective_attention
