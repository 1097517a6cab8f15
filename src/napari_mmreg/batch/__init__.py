"""Many pairs: a table or two folders of images, registered here or on a cluster."""

from napari_mmreg.batch.outcome import Outcome
from napari_mmreg.batch.parameters import BatchParameters
from napari_mmreg.batch.run import BatchSummary, run_batch
from napari_mmreg.batch.table import ImagePair, match_folders, read_table

__all__ = [
    "BatchParameters",
    "BatchSummary",
    "ImagePair",
    "Outcome",
    "match_folders",
    "read_table",
    "run_batch",
]
