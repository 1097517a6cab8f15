from .evaluation import evaluate as evaluate
from .evaluation import landmark_error as landmark_error
from .evaluation import load_segmenter as load_segmenter
from .fusion import fuse as fuse
from .geometry import Transform as Transform
from .geometry import apply as apply
from .large import refine_tiles as refine_tiles
from .models import list_models as list_models
from .registration import RegistrationResult as RegistrationResult
from .registration import correct_fusion as correct_fusion
from .registration import correct_scan as correct_scan
from .registration import register as register
from .series import SeriesResult as SeriesResult
from .series import SetResult as SetResult
from .series import register_series as register_series
from .series import register_set as register_set

__version__: str
