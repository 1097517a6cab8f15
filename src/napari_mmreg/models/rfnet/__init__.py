"""RFNet: registration and fusion that help each other (Xu et al., CVPR 2022)."""
