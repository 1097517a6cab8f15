"""FusionRegister: fuse first, then register what is misaligned (Bian et al., CVPR 2026)."""
