"""A pair with objects, and tiny SAMs of the real classes with random weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

SHIFT = (5.0, -4.0)  # moving = fixed + shift


def discs(shape, offset=(0.0, 0.0)):
    """Label image of six discs; the object at p in the fixed image lies at p + offset."""
    rows, cols = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for number, (row, col, radius) in enumerate(
        [(40, 45, 16), (42, 110, 12), (100, 40, 14), (95, 100, 20), (50, 160, 10), (110, 155, 15)],
        start=1,
    ):
        inside = np.hypot(rows - row - offset[0], cols - col - offset[1]) <= radius
        labels[inside] = number
    return labels


@pytest.fixture
def pair():
    """Fixed and moving picture of the same discs, other grey values, and both label images."""
    shape = (150, 200)
    random = np.random.default_rng(0)
    fixed_labels, moving_labels = discs(shape), discs(shape, SHIFT)
    pictures = []
    for labels, greys in (
        (fixed_labels, [0.2, 0.9, 0.7, 1.0, 0.8, 0.75, 0.95]),
        (moving_labels, [0.8, 0.1, 0.3, 0.2, 0.15, 0.25, 0.0]),
    ):
        picture = ndimage.gaussian_filter(np.array(greys)[labels], 1.0)
        noisy = picture + 0.02 * random.standard_normal(shape)
        pictures.append((255 * noisy).clip(0, 255).astype(np.uint8))
    return pictures[0], pictures[1], fixed_labels, moving_labels


@pytest.fixture(scope="session")
def sam_folders(tmp_path_factory):
    """SamModel and Sam2Model with random weights, saved as published ones are."""
    transformers = pytest.importorskip("transformers", reason="needs the extra sam")
    import torch

    torch.manual_seed(0)
    decoder = {
        "hidden_size": 32,
        "mlp_dim": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 16,
        "iou_head_depth": 2,
    }
    sam = transformers.SamModel(
        transformers.SamConfig(
            vision_config={
                "hidden_size": 16,
                "output_channels": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 64,
                "patch_size": 8,
                "window_size": 4,
                "global_attn_indexes": [0],
                "mlp_dim": 32,
                "num_pos_feats": 16,
            },
            prompt_encoder_config={
                "hidden_size": 32,
                "image_size": 64,
                "patch_size": 8,
                "mask_input_channels": 4,
                "image_embedding_size": 8,
            },
            mask_decoder_config=decoder,
        )
    )
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 16,
        "image_size": [64, 64],
        "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [16, 32, 64, 128],
        "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }
    sam2 = transformers.Sam2Model(
        transformers.Sam2Config(
            vision_config={
                "backbone_config": backbone,
                "backbone_channel_list": [128, 64, 32, 16],
                "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
                "fpn_hidden_size": 32,
            },
            prompt_encoder_config={
                "hidden_size": 32,
                "image_size": 64,
                "patch_size": 16,
                "mask_input_channels": 4,
            },
            mask_decoder_config=decoder,
        )
    )
    folders = {}
    for name, model in (("sam", sam), ("sam2", sam2)):
        folders[name] = tmp_path_factory.mktemp("sams") / f"tiny-{name}"
        model.save_pretrained(folders[name])
    return folders
