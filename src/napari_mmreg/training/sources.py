"""Where training images come from, and what their authors allow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Where images come from and what their authors allow.

    Attributes
    ----------
    name, repository, paper, licence : str
        As a model card prints them; `licence` is what the repository says.
    commercial : bool
        False where the terms forbid commercial use.
    """

    name: str
    repository: str
    paper: str
    licence: str
    commercial: bool = True


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "RoadScene",
            "hanna-xu/RoadScene @ ab71420f",
            "Xu et al., U2Fusion, TPAMI 2020 (images from FLIR ADAS)",
            "none stated; FLIR terms",
        ),
        Source(
            "LLVIP",
            "bupt-ai-cz/LLVIP @ 60cdc80b",
            "Jia et al., LLVIP, ICCVW 2021",
            "LLVIP terms: non-commercial",
            commercial=False,
        ),
        Source(
            "SRIF-Nighttime",
            "LJY-RS/SRIF @ 88881a3a",
            "Li et al., ISPRS J. 204 (2023); images from LLVIP",
            "none stated by SRIF; LLVIP terms: non-commercial",
            commercial=False,
        ),
        Source(
            "SRIF",
            "LJY-RS/SRIF @ 88881a3a",
            "Li et al., ISPRS J. 204 (2023)",
            "none stated",
        ),
        Source(
            "NIR-VIS-RS",
            "JasonLi-UCAS/NIR-VIS-RS @ f5ae96b6",
            "Li et al., Remote Sensing 16 (2024) 214",
            "none stated",
        ),
        Source(
            "MMIM",
            "StaRainJ/Multi-modality-image-matching-database-metrics-methods @ ed2d5a4c",
            "Jiang et al., Information Fusion 73 (2021)",
            "none stated; asks to cite the paper",
        ),
        Source(
            "TNO",
            "Zhaozixiang1228/MMIF-CDDFuse @ fd8da1f3 (test_img)",
            "Toet, TNO Image Fusion Dataset",
            "CC BY-NC-SA by its figshare page (not re-checked)",
            commercial=False,
        ),
        Source(
            "Harvard",
            "Zhaozixiang1228/MMIF-CDDFuse @ fd8da1f3 (test_img)",
            "Harvard Whole Brain Atlas",
            "none stated",
        ),
        Source(
            "VIFB",
            "xingchenzhang/VIFB @ 22b2ea9d",
            "Zhang et al., CVPRW 2020",
            "none stated",
        ),
        Source(
            "MSRS",
            "Linfeng-Tang/SuperFusion @ b0fbb86e (dataset/test)",
            "Tang et al., 2022",
            "MIT (code)",
        ),
        Source(
            "MURF-nirscene",
            "hanna-xu/MURF @ 79b270af",
            "Brown and Suesstrunk, CVPR 2011 (EPFL RGB-NIR)",
            "none stated",
        ),
        Source(
            "SHG-HE",
            "uw-loci/shg_he_registration @ 21ab22e6",
            "Keikhosravi et al., Biomed. Opt. Express 11 (2020)",
            "images: none stated",
        ),
    )
}


def source_name(source: str, identifier: str) -> str:
    """Return the key in `SOURCES` of an index row.

    SRIF's night-time pairs are LLVIP's images and keep LLVIP's terms; in the index only
    their id tells them apart.
    """
    if source == "SRIF" and identifier.startswith("srif_nighttime"):
        return "SRIF-Nighttime"
    return source
