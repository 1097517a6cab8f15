"""Guessing what a layer shows."""

from __future__ import annotations

import pytest

from napari_mmreg.gui.shared.modalities import MODALITIES, UNKNOWN, engine_modality, guess_modality


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("FLIR_08835", "thermal"),
        ("road_vis", "visible"),
        ("road_ir", "infrared"),
        ("scene NIR", "nir"),
        ("near-infrared", "nir"),
        ("patch_SAR_12", "sar"),
        ("Sentinel-1 VV", "sar"),
        ("disparity", "depth"),
        ("liver_HE", "he"),
        ("H&E section", "he"),
        ("colon DAB", "ihc"),
        ("haematoxylin", "ihc"),
        ("core_SHG", "shg"),
        ("DAPI", "fluorescence"),
        ("cell-TEM", "em"),
        ("brain T1w", "mri"),
        ("brain_ct_03", "ct"),
        ("fundus left", "retina"),
        ("OSM map", "map"),
        ("bird", UNKNOWN),  # "ir" inside a word is no infrared
        ("Image [1]", UNKNOWN),
        ("spectacle", UNKNOWN),
    ],
)
def test_guess_from_the_name(name, expected):
    assert guess_modality(name) == expected


def test_colour_without_a_telling_name_is_visible():
    assert guess_modality("Image", rgb=True) == "visible"
    assert guess_modality("core_SHG", rgb=True) == "shg"


def test_what_was_said_before_wins_over_the_name():
    metadata = {"napari_mmreg": {"modality": "map"}}
    assert guess_modality("DAPI", metadata=metadata) == "map"
    assert guess_modality("DAPI", metadata={"napari_mmreg": {"modality": "DAB"}}) == "ihc"
    assert guess_modality("DAPI", metadata={"napari_mmreg": {"modality": "?!"}}) == UNKNOWN
    assert guess_modality("DAPI", metadata={"napari_mmreg": None}) == "fluorescence"


def test_the_engine_is_told_nothing_where_nothing_is_known():
    assert engine_modality(UNKNOWN) is None
    assert all(engine_modality(key) == key for key in MODALITIES if key != UNKNOWN)
