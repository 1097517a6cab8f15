"""SAS-Net: scene and appearance apart (Qin, arXiv 2602.09050), with a geometric head of ours."""
