"""Tiny SamModel and Sam2Model with random weights: they only show that the adapter runs."""

from __future__ import annotations

from pathlib import Path


def save_tiny_sams(parent: Path) -> dict[str, Path]:
    """Make both, save them as published ones are, and return their folders."""
    import torch
    import transformers

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
        folders[name] = parent / f"tiny-{name}"
        model.save_pretrained(folders[name])
    return folders
