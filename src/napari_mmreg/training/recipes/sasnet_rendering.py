"""SAS-Net's images, learned after its geometry: ``mmreg train sasnet-rendering --init WEIGHTS``.

Geometry is learned from sensors as different as appearance randomisation can make them; what one
sensor's image looks like in another's is learned from images as the sensors gave them.
"""

from __future__ import annotations

from dataclasses import replace

from napari_mmreg.training.appearance import AppearanceConfig
from napari_mmreg.training.recipes.sasnet import SASNetRecipe


def rendering_recipe() -> SASNetRecipe:
    """Return SAS-Net's recipe with its geometry frozen."""
    whole = SASNetRecipe()
    return replace(
        whole,
        geometry=False,
        batches=replace(
            whole.batches,
            mono_share=0.0,
            sizes=((128, 128), (112, 160), (160, 112)),
            appearance=AppearanceConfig(
                strength=0.25,
                curve_share=0.0,
                invert_share=0.0,
                thermal_share=0.0,
                occlusion_share=0.0,
            ),
        ),
        notes=whole.notes + " Then the pictures alone, geometry frozen: this run.",
    )
