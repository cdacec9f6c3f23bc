"""The table of encoders people choose from, and where their weights are. No weights, no torch:
quick to list.

In: nothing but the Hugging Face cache. Out: KnownEncoder rows. The table is a selection: `load`
takes any architecture and weights that open_clip knows, but a list of 250 names helps nobody
choose. Sizes are those of the float32 files, so they are what a download takes, to a few percent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgsearch.encoders.exports.manifest import parted

CONFIG = "open_clip_config.json"
BUILTIN = Path(__file__).parent / "builtin"
OPEN_CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@dataclass(frozen=True)
class KnownEncoder:
    """One line of `imgsearch encoders`: what it is called, reads and weighs; nothing of it is
    loaded."""

    name: str
    languages: tuple[str, ...]
    dim: int
    size_bytes: int
    is_cached: bool


@dataclass(frozen=True)
class Published:
    """Where the weights of a name are published: a repository and the files that would do, best
    first."""

    languages: tuple[str, ...]
    dim: int
    million_parameters: float
    repo: str
    files: Sequence[str] = OPEN_CLIP_FILES
    needs_transformers: bool = False


EN, ZH, BOTH = ("en",), ("zh",), ("en", "zh")

PUBLISHED = {
    "open_clip/ViT-B-32/laion2b_s34b_b79k": Published(
        EN, 512, 151.3, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    ),
    "open_clip/ViT-B-16/laion2b_s34b_b88k": Published(
        EN, 512, 149.6, "laion/CLIP-ViT-B-16-laion2B-s34B-b88K"
    ),
    "open_clip/ViT-L-14/laion2b_s32b_b82k": Published(
        EN, 768, 427.6, "laion/CLIP-ViT-L-14-laion2B-s32B-b82K"
    ),
    "open_clip/ViT-H-14/laion2b_s32b_b79k": Published(
        EN, 1024, 986.1, "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
    ),
    "open_clip/ViT-B-16/datacomp_xl_s13b_b90k": Published(
        EN, 512, 149.6, "laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K"
    ),
    "open_clip/ViT-L-14/datacomp_xl_s13b_b90k": Published(
        EN, 768, 427.6, "laion/CLIP-ViT-L-14-DataComp.XL-s13B-b90K"
    ),
    "open_clip/RN50/openai": Published(EN, 1024, 102.0, "timm/resnet50_clip.openai"),
    "open_clip/RN101/openai": Published(EN, 512, 119.7, "timm/resnet101_clip.openai"),
    "open_clip/RN50x4/openai": Published(EN, 640, 178.3, "timm/resnet50x4_clip.openai"),
    "open_clip/RN50x16/openai": Published(EN, 768, 290.9, "timm/resnet50x16_clip.openai"),
    "open_clip/RN50x64/openai": Published(EN, 1024, 623.3, "timm/resnet50x64_clip.openai"),
    "open_clip/ViT-B-32/openai": Published(EN, 512, 151.3, "timm/vit_base_patch32_clip_224.openai"),
    "open_clip/ViT-B-16/openai": Published(EN, 512, 149.6, "timm/vit_base_patch16_clip_224.openai"),
    "open_clip/ViT-L-14/openai": Published(
        EN, 768, 427.6, "timm/vit_large_patch14_clip_224.openai"
    ),
    "open_clip/ViT-L-14-336/openai": Published(
        EN, 768, 427.9, "timm/vit_large_patch14_clip_336.openai"
    ),
    "open_clip/xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k": Published(
        BOTH,
        512,
        366.1,
        "laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k",
        needs_transformers=True,
    ),
    "open_clip/xlm-roberta-large-ViT-H-14/frozen_laion5b_s13b_b90k": Published(
        BOTH,
        1024,
        1193.0,
        "laion/CLIP-ViT-H-14-frozen-xlm-roberta-large-laion5B-s13B-b90k",
        needs_transformers=True,
    ),
    "cn_clip/ViT-B-16": Published(
        ZH, 512, 188.3, "OFA-Sys/chinese-clip-vit-base-patch16", ["clip_cn_vit-b-16.pt"]
    ),
    "cn_clip/ViT-L-14": Published(
        ZH, 768, 406.2, "OFA-Sys/chinese-clip-vit-large-patch14", ["clip_cn_vit-l-14.pt"]
    ),
    "cn_clip/ViT-L-14-336": Published(
        ZH, 768, 406.6, "OFA-Sys/chinese-clip-vit-large-patch14-336px", ["clip_cn_vit-l-14-336.pt"]
    ),
    "cn_clip/ViT-H-14": Published(
        ZH, 1024, 957.6, "OFA-Sys/chinese-clip-vit-huge-patch14", ["clip_cn_vit-h-14.pt"]
    ),
    "cn_clip/RN50": Published(ZH, 1024, 77.0, "OFA-Sys/chinese-clip-rn50", ["clip_cn_rn50.pt"]),
}


def builtin_version(name: str) -> int | None:
    """The version a bundled encoder's name ends in, 3 for `builtin/3`, for its folder `builtin-3`
    and for `builtin/3@int8`; None for any other name."""
    whole, _ = parted(name)
    words = re.fullmatch(r"builtin[/-]([0-9]{1,9})", whole)
    return int(words[1]) if words else None


def builtin_versions(models: Path | None = None) -> dict[int, Path]:
    """The folders of the bundled encoder by version; a library's own copy comes before the
    package's."""
    found = {int(path.name): path for path in BUILTIN.glob("*") if path.name.isdecimal()}
    if models is not None:
        for path in models.glob("builtin-*"):
            if (version := builtin_version(path.name)) is not None:
                found[version] = path
    return {version: path for version, path in found.items() if (path / CONFIG).is_file()}


def known() -> list[KnownEncoder]:
    """The encoders to choose from, bundled ones first. Quick: reads file names and two small
    configurations."""
    import json

    from imgsearch.weights import hub

    rows = []
    for version, folder in sorted(builtin_versions().items(), reverse=True):
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        size = sum(file.stat().st_size for file in folder.iterdir())
        languages = tuple(config["imgsearch"]["languages"])
        dim = int(config["model_cfg"]["embed_dim"])
        rows.append(KnownEncoder(f"builtin/{version}", languages, dim, size, is_cached=True))
    for name, entry in PUBLISHED.items():
        file = hub.cached(entry.repo, entry.files)
        size = file.stat().st_size if file else round(entry.million_parameters * 4e6)
        rows.append(
            KnownEncoder(name, entry.languages, entry.dim, size, is_cached=file is not None)
        )
    return rows


def by_path(name: str) -> str:
    """The command that takes a published encoder's weights from a file fetched by hand, at PATH."""
    return f"index --encoder {name}/PATH FOLDER"
