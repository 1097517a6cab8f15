"""MIND-SSC, a self-similarity descriptor for images of different sensors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_mmreg.nn.sampling import gaussian_blur

# Two-dimensional neighbourhood: the eight neighbours; pairs of neighbours at a distance of
# one step or one diagonal step make the self-similarity context, twelve of them.
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_PAIRS = (
    *((i, (i + 1) % 8) for i in range(8)),
    (1, 3),
    (3, 5),
    (5, 7),
    (7, 1),
)


def mind_ssc(image: Tensor, radius: float = 1.0, dilation: int = 2) -> Tensor:
    """Describe each pixel by how alike the patches around it are.

    Parameters
    ----------
    image : Tensor of shape (B, 1, H, W)
        Grey values.
    radius : float
        Gaussian sigma of the patches compared, in pixels.
    dilation : int
        Distance of the neighbours from the centre, in pixels.

    Returns
    -------
    Tensor of shape (B, 12, H, W)
        Values in (0, 1].

    Notes
    -----
    The paper's context is three-dimensional (six neighbours, twelve pairs). In two
    dimensions we take the ring of eight neighbours: eight pairs of adjacent ones and the four
    pairs of axis neighbours, again twelve.

    References
    ----------
    Heinrich, M. P. et al. (2013), Towards realtime multimodal fusion for image-guided
    interventions using self-similarities, MICCAI.
    """
    rows, cols = image.shape[-2:]
    d = dilation
    padded = F.pad(image, (d, d, d, d), mode="replicate")
    shifted = [
        padded[..., d + dy * d : d + dy * d + rows, d + dx * d : d + dx * d + cols]
        for dy, dx in _NEIGHBOURS
    ]
    distance = torch.cat([(shifted[i] - shifted[j]).square() for i, j in _PAIRS], dim=1)
    distance = gaussian_blur(distance, radius)
    distance = distance - distance.amin(dim=1, keepdim=True)
    variance = distance.mean(dim=1, keepdim=True)
    middle = variance.mean(dim=(2, 3), keepdim=True)
    variance = torch.minimum(torch.maximum(variance, middle * 1e-3), middle * 1e3) + 1e-12
    return torch.exp(-distance / variance)
