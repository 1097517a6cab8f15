"""How strong a synthetic misalignment is: the tiers of training, the protocols of validation."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Tier:
    """Ranges from which a misalignment is drawn, uniformly and independently.

    Attributes
    ----------
    rotation : float
        Largest angle in degrees, either way.
    scale : tuple of float
        Smallest and largest scale.
    per_axis : bool
        Draw the scale of x and y independently.
    translation : float
        Largest shift per axis as a fraction of the image's side.
    shear : float
        Largest shear, dimensionless.
    perspective : float
        Largest perspective coefficient in coordinates that run from -1 to 1 over the image.
    elastic : tuple of float
        Range of the largest elastic vector in px at 256 scale; (0, 0): no elastic part.
    sigma : tuple of float
        Range of the Gaussian that smooths the elastic field, in px at 256 scale.
    """

    rotation: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    per_axis: bool = False
    translation: float = 0.0
    shear: float = 0.0
    perspective: float = 0.0
    elastic: tuple[float, float] = (0.0, 0.0)
    sigma: tuple[float, float] = (12.0, 16.0)

    def rigid(self) -> Tier:
        """Return the same tier without its elastic part."""
        return replace(self, elastic=(0.0, 0.0))

    def wide(self, translation: float) -> Tier:
        """Return the same tier with wider translations."""
        return replace(self, translation=max(self.translation, translation))


# Mild is FusionRegister's range, medium MMRNet's, hard HRNet's. The elastic part, and the
# little shear and perspective, are ours: real cameras have them, the papers' ranges do not.
TIERS: dict[str, Tier] = {
    "identity": Tier(),
    "mild": Tier(
        rotation=2.0,
        scale=(0.95, 1.08),
        translation=2.0 / 256.0,
        perspective=0.005,
        elastic=(2.0, 4.0),
    ),
    # Ours: about twice the mild one, for models that correct what is nearly right.
    "near": Tier(
        rotation=4.0,
        scale=(0.91, 1.14),
        translation=5.0 / 256.0,
        perspective=0.01,
        elastic=(2.0, 6.0),
    ),
    "medium": Tier(
        rotation=10.0,
        scale=(0.88, 1.12),
        per_axis=True,
        translation=0.05,
        shear=0.02,
        perspective=0.02,
        elastic=(3.0, 6.0),
    ),
    "hard": Tier(
        rotation=20.0,
        scale=(0.87, 1.13),
        translation=0.15,
        shear=0.05,
        perspective=0.04,
        elastic=(4.0, 8.0),
    ),
    # Ours: for models that have to start from far away.
    "turned": Tier(
        rotation=45.0,
        scale=(0.6, 1.6),
        translation=0.15,
        shear=0.05,
        perspective=0.03,
        elastic=(3.0, 6.0),
    ),
    # Ours: what a global alignment leaves, for the elastic stage. Its frames are crops, so that
    # 256-px scale is wider here than in the benchmark, whose frames are whole images.
    "residual": Tier(
        rotation=1.2,
        scale=(0.985, 1.015),
        translation=0.015,
        shear=0.01,
        perspective=0.01,
        elastic=(6.0, 14.0),
        sigma=(14.0, 30.0),
    ),
    "residual-far": Tier(
        rotation=2.0,
        scale=(0.97, 1.03),
        translation=0.025,
        shear=0.015,
        perspective=0.015,
        elastic=(10.0, 18.0),
        sigma=(20.0, 36.0),
    ),
    "residual-small": Tier(
        rotation=0.4,
        scale=(0.995, 1.005),
        translation=0.005,
        perspective=0.003,
        elastic=(0.5, 5.0),
        sigma=(13.0, 36.0),
    ),
}

# Kinds of the benchmark: B bends more and more broadly than N, F less and more finely.
_R = Tier(rotation=10.0, scale=(0.9, 1.1), translation=0.1, shear=0.05, perspective=0.04)
_N = Tier(
    rotation=5.0,
    scale=(0.95, 1.05),
    translation=0.05,
    shear=0.025,
    perspective=0.02,
    elastic=(8.0, 8.0),
    sigma=(16.0, 16.0),
)
PROTOCOLS: dict[str, Tier] = {
    "R": _R,
    "N": _N,
    "B": replace(_N, elastic=(12.0, 12.0), sigma=(24.0, 24.0)),
    "F": replace(_N, elastic=(5.0, 5.0), sigma=(10.0, 10.0)),
    "H": Tier(
        rotation=20.0,
        scale=(0.87, 1.13),
        translation=0.15,
        shear=0.05,
        perspective=0.04,
        elastic=(8.0, 8.0),
        sigma=(16.0, 16.0),
    ),
    "S": Tier(rotation=2.0, scale=(0.94, 1.06), translation=0.008),
    "Z": Tier(),
    # Of training alone: N after a global alignment.
    "E": Tier(
        rotation=0.6,
        scale=(0.992, 1.008),
        translation=0.006,
        shear=0.005,
        perspective=0.005,
        elastic=(8.0, 8.0),
        sigma=(16.0, 16.0),
    ),
}
