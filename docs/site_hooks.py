"""What the site takes from elsewhere in the repository: model cards, benchmarks, contributing.

Sources link to each other by their places in the repository, so that the links also work on
GitHub; here they are turned into links between pages, or to GitHub where there is no page.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = "src/napari_mmreg/weights"
API = ("index", "registration", "geometry", "evaluation", "fusion", "models", "io", "landmarks",
       "samples", "errors")  # fmt: skip
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")


def taken() -> dict[str, str]:
    """Return place in the repository -> place in the site."""
    places = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
    for card in sorted((ROOT / WEIGHTS).glob("*/card.md")):
        name = card.parent.name
        places[f"{WEIGHTS}/{name}/card.md"] = f"models/{name}.md"
        if (card.parent / "curves.png").is_file():
            places[f"{WEIGHTS}/{name}/curves.png"] = f"models/{name}-curves.png"
    for path in sorted((ROOT / "benchmarks").rglob("*")):
        if path.suffix in {".md", ".png"}:
            inside = path.relative_to(ROOT).as_posix()
            places[inside] = inside
    return places


PLACES = taken()
ORIGINS = {target: source for source, target in PLACES.items()}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of models, benchmarks and API in the navigation."""
    listed = {
        "models/": ["models/index.md", *sorted(t for t in ORIGINS if t.startswith("models/"))],
        "benchmarks/": sorted(
            (t for t in ORIGINS if t.startswith("benchmarks/")), key=lambda t: (t.count("/"), t)
        ),
        "api/": [f"api/{name}.md" for name in API],
    }
    for entry in config.nav:
        for title, value in entry.items():
            if isinstance(value, str) and value in listed:
                entry[title] = [page for page in listed[value] if page.endswith(".md")]
    config.nav[-1] = {"Contributing": ["contributing.md", "changelog.md"]}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside of docs/."""
    for source, target in PLACES.items():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Turn links between files of the repository into links between pages."""
    source = ORIGINS.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def turn(link: re.Match[str]) -> str:
        before, address, anchor, after = link.groups()
        if "://" in address or address.startswith("mailto:"):
            return link.group()
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(source), address))
        if wanted in PLACES:
            target = PLACES[wanted]
        elif wanted.startswith("docs/"):
            target = wanted.removeprefix("docs/")
        elif (ROOT / wanted).exists():
            return f"{before}{config.repo_url}blob/main/{wanted}{anchor or ''}{after}"
        else:
            return link.group()
        turned = posixpath.relpath(target, posixpath.dirname(page.file.src_uri) or ".")
        return f"{before}{turned}{anchor or ''}{after}"

    return LINK.sub(turn, markdown)


def on_nav(nav: Navigation, **_: Any) -> Navigation:
    """Give the pages that are named by their files a short title."""
    for page in nav.pages:
        if page.file.src_uri.startswith("models/") and not page.file.src_uri.endswith("index.md"):
            page.title = Path(page.file.src_uri).stem
    return nav
