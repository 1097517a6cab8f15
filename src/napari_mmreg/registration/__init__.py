"""The one path: prepare, predict, refine, certify, result. Torch is loaded by the first run."""

from __future__ import annotations

from napari_mmreg.registration.assess import assess
from napari_mmreg.registration.bidirectional import correct_scan
from napari_mmreg.registration.post_registration import CorrectedFusion, correct_fusion
from napari_mmreg.registration.register import register
from napari_mmreg.registration.result import RegistrationResult

__all__ = [
    "CorrectedFusion",
    "RegistrationResult",
    "assess",
    "correct_fusion",
    "correct_scan",
    "register",
]
