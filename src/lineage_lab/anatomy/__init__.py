"""What a network costs and what it sees: `describe`, for any ``nn.Module``."""

from lineage_lab.anatomy.fields import Field as Field
from lineage_lab.anatomy.forward import Layer as Layer
from lineage_lab.anatomy.network import Anatomy as Anatomy
from lineage_lab.anatomy.network import describe as describe
