"""From the words of `--encoder` to an encoder in memory: which weights file, under which settings.

In: an architecture and weights, a folder, or a file. Out: the loaded adapter. Names are resolved
here so that the adapters know nothing of hubs and folders; this module is imported only when an
encoder is really loaded.
"""

from __future__ import annotations

import difflib
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
from open_clip.transform import PreprocessCfg, merge_preprocess_dict

from imgsearch.encoders import architectures, checkpoints
from imgsearch.encoders.families import CONFIG, OPEN_CLIP_FILES, PUBLISHED, by_path
from imgsearch.encoders.open_clip import (
    OpenClip,
    Settings,
    check_packages,
    languages_of,
)
from imgsearch.encoders.tokenizers import DEFAULT_VOCABULARY
from imgsearch.errors import NoEncoderError, UsageError
from imgsearch.weights import hub

if TYPE_CHECKING:
    from imgsearch.encoders.cn_clip import ChineseClip

OURS = "imgsearch.json"  # beside the weights of a Chinese-CLIP, whose package has no such file
WEIGHTS = (  # as open_clip prefers them, then what people name theirs
    *OPEN_CLIP_FILES,
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
)


def open_clip_named(name: str, *, device: str) -> OpenClip:
    """`open_clip/ARCHITECTURE/WEIGHTS`: a tag, a path, or a tag and then the path of its file."""
    _, architecture, *rest = name.split("/", 2)
    model = architecture_config(architecture)
    tag, _, path = rest[0].partition("/") if rest else ("", "", "")
    published = open_clip.get_pretrained_cfg(architecture, tag)
    if published:
        model["quick_gelu"] = bool(model.get("quick_gelu") or published.get("quick_gelu"))
        check_packages(model, name)
        file = Path(path) if path else _download(name, published["hf_hub"])
        settings = Settings(model, _preprocess(published), languages_of(model))
        short = f"open_clip/{architecture}/{tag}"
        source = f"{short}/{_existing(file)}" if path else short
        return OpenClip(checkpoints.read(file), settings, name=short, source=source, device=device)
    if not rest or not os.path.exists(rest[0]):
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        near = _nearest(tag, tags) if tags else "none are published; give a file"
        raise NoEncoderError(f"{name!r} names no weights of {architecture}: {near}")
    checkpoint = checkpoints.read(_existing(Path(rest[0])))
    model["quick_gelu"] = bool(model.get("quick_gelu") or checkpoint.is_openai)
    settings = Settings(model, usual_preprocess(architecture), languages_of(model))
    return OpenClip(
        checkpoint,
        settings,
        name=f"open_clip/{architecture}/{checkpoint.path.stem}",
        source=f"open_clip/{architecture}/{checkpoint.path}",
        device=device,
    )


def architecture_config(architecture: str) -> dict[str, Any]:
    """open_clip's own `model_cfg` of an architecture. Raises NoEncoderError where it has none."""
    model: dict[str, Any] | None = open_clip.get_model_config(architecture)
    if model is None:
        raise NoEncoderError(
            f"open_clip has no architecture {architecture!r}; "
            + _nearest(architecture, open_clip.list_models())
        )
    return model


def cn_clip_named(name: str, *, device: str) -> ChineseClip:
    """`cn_clip/ARCHITECTURE`, or with a path to its weights behind it."""
    from imgsearch.encoders.cn_clip import ARCHITECTURES

    _, architecture, *rest = name.split("/", 2)
    short = f"cn_clip/{architecture}"
    if architecture not in ARCHITECTURES:
        raise NoEncoderError(
            f"cn_clip has no architecture {architecture!r}; it has {', '.join(ARCHITECTURES)}"
        )
    entry = PUBLISHED[short]
    file = Path(rest[0]) if rest else hub.fetch(entry.repo, entry.files, use=by_path(short))
    source = f"{short}/{_existing(file)}" if rest else short
    encoder = _chinese_clip(checkpoints.read(file), name=short, source=source, device=device)
    if encoder.architecture != architecture:
        raise UsageError(f"{file} holds a {encoder.architecture} model, not {architecture}")
    return encoder


def from_hub(name: str, *, device: str) -> OpenClip:
    """`hf-hub:OWNER/REPO`: an open_clip repository with its own configuration."""
    repo = name.removeprefix("hf-hub:")
    # The configuration and the weights belong together.
    by_hand = "index --encoder /path/to/the/folder/of/both FOLDER"
    config = hub.fetch(repo, [CONFIG], use=by_hand)
    hub.fetch(repo, OPEN_CLIP_FILES, use=by_hand)
    return _from_folder(config.parent, name=name, source=name, device=device)


def from_path(
    path: Path, *, name: str | None, source: str | None, device: str
) -> OpenClip | ChineseClip:
    """A folder in open_clip's layout, a folder with one weights file, or a weights file of either
    family."""
    path = _existing(path)
    source = source or str(path)
    if path.is_dir() and (path / CONFIG).is_file():
        return _from_folder(path, name=name, source=source, device=device)
    file = _weights_in(path) if path.is_dir() else path
    checkpoint = checkpoints.read(file)
    if checkpoint.family == "cn_clip":
        ours, config = _beside(path / OURS) if (path / OURS).is_file() else (None, None)
        found = _chinese_clip(checkpoint, config, name=name or ours, source=source, device=device)
        found.files += (path / OURS,) if ours else ()
        return found
    return _open_clip_file(checkpoint, name=name, source=source, device=device)


def _from_folder(folder: Path, *, name: str | None, source: str, device: str) -> OpenClip:
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        model = dict(config["model_cfg"])
        ours = config.get("imgsearch", {})
        settings = Settings(
            model,
            dict(config.get("preprocess_cfg", {})),
            tuple(ours.get("languages", languages_of(model))),
            folder,
            folder / ours["bpe"] if ours.get("bpe") else None,
            bool(ours.get("space_han", False)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{folder / CONFIG} is no open_clip configuration: {error!r}; save the encoder anew, "
            "or name its weights file"
        ) from error
    if settings.merges and not settings.merges.is_file():
        raise UsageError(
            f"the byte-pair file {settings.merges}, which {CONFIG} names, is not there; copy the "
            "whole folder"
        )
    name = name or ours.get("name") or f"open_clip/{folder.name}"
    checkpoint = checkpoints.read(_weights_in(folder))
    return OpenClip(checkpoint, settings, name=name, source=source, device=device)


def _beside(path: Path) -> tuple[str, dict[str, Any]]:
    """The name and the configuration that training wrote beside the weights of a Chinese-CLIP."""
    try:
        ours = json.loads(path.read_text("utf-8"))
        return str(ours["name"]), dict(ours["config"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is not what imgsearch finetune writes ({error!r}); save the encoder anew, or "
            "name its weights file"
        ) from error


def _open_clip_file(
    checkpoint: checkpoints.Checkpoint, *, name: str | None, source: str, device: str
) -> OpenClip:
    inferred = architectures.open_clip_config(checkpoint.state, str(checkpoint.path))
    architecture, model = _published_like(inferred)
    model["quick_gelu"] = checkpoint.is_openai
    if not checkpoint.is_openai:
        warnings.warn(
            f"{checkpoint.path} does not say whether its model was trained with GELU or QuickGELU; "
            "GELU is assumed. For weights of OpenAI, MetaCLIP or DFN "
            + (
                f"name the architecture: --encoder open_clip/{architecture}-quickgelu/"
                f"{checkpoint.path}"
                if architecture != "custom"
                else f'put it in a folder with an {CONFIG} that says "quick_gelu": true'
            ),
            stacklevel=2,
        )
    if model["text_cfg"]["vocab_size"] != DEFAULT_VOCABULARY:
        raise UsageError(
            f"{checkpoint.path} has {model['text_cfg']['vocab_size']} tokens, CLIP's tokenizer "
            f"{DEFAULT_VOCABULARY}; put it in a folder with an {CONFIG} that names its tokenizer"
        )
    settings = Settings(model, usual_preprocess(architecture), ("en",))
    name = name or f"open_clip/{architecture}/{checkpoint.path.stem}"
    return OpenClip(checkpoint, settings, name=name, source=source, device=device)


def _chinese_clip(
    checkpoint: checkpoints.Checkpoint,
    config: Mapping[str, Any] | None = None,
    *,
    name: str | None,
    source: str,
    device: str,
) -> ChineseClip:
    from imgsearch.encoders.cn_clip import ChineseClip

    encoder = ChineseClip(checkpoint, config, name=name or "", source=source, device=device)
    encoder.name = name or f"cn_clip/{encoder.architecture}/{checkpoint.path.stem}"
    return encoder


def _published_like(inferred: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """open_clip's own configuration of these sizes and its name; what was inferred, where there is
    none."""
    for name in open_clip.list_models():
        config: dict[str, Any] = open_clip.get_model_config(name)
        if not name.endswith("-quickgelu") and _sizes(config) == _sizes(inferred):
            return name, config
    return "custom", dict(inferred)


def _sizes(config: Mapping[str, Any]) -> list[object]:
    vision, text = config["vision_cfg"], config["text_cfg"]
    plain = {"layers", "width", "patch_size", "image_size", "head_width", "mlp_ratio"}
    if set(vision) - plain or "multimodal_cfg" in config:
        return [object()]  # a tower of another kind: equal to nothing
    hidden = int(vision["width"] * vision.get("mlp_ratio", 4.0))
    return [
        config["embed_dim"],
        hidden,
        *(vision.get(key) for key in ("layers", "width", "patch_size", "image_size")),
        *(text.get(key) for key in ("context_length", "vocab_size", "width", "heads", "layers")),
    ]


def _preprocess(published: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = merge_preprocess_dict(PreprocessCfg(), published)
    return found


def usual_preprocess(architecture: str) -> dict[str, Any]:
    """What all published weights of an architecture agree on; CLIP's own where they differ or are
    none."""
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    found = [_preprocess(open_clip.get_pretrained_cfg(architecture, tag)) for tag in tags]
    return found[0] if found and all(other == found[0] for other in found) else _preprocess({})


def _download(name: str, address: str) -> Path:
    repo, _, file = address.rpartition("/")
    files = [f"{file.rpartition('.')[0]}.safetensors", file] if file else OPEN_CLIP_FILES
    return hub.fetch(repo, files, use=by_path(name))


def _weights_in(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    found = [
        file
        for file in sorted(folder.iterdir())
        if file.suffix in (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
    ]
    if len(found) != 1:
        which = (
            f"has no weights file: expected {WEIGHTS[0]}, or one .safetensors, .pt, .pth or .bin"
            if not found
            else f"has {len(found)} weights files; name one of them"
        )
        raise UsageError(f"the folder {folder} {which}")
    return found[0]


def _existing(path: Path) -> Path:
    if not os.path.exists(path):  # False as well where Path.exists raises: a name too long
        raise UsageError(f"{path} does not exist: give the path of a weights file or its folder")
    found = path.resolve()
    try:
        str(found).encode()
    except UnicodeEncodeError as error:  # a library keeps the path, to load the encoder again
        raise UsageError(f"the path {str(found)!r} is not valid text: rename it") from error
    return found


def _nearest(wanted: str, names: list[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=5, cutoff=0.4) or names[:5]
    return f"did you mean {', '.join(near)}?"
