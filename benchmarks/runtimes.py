"""torch against ONNX Runtime, in float32 and in int8: the same encoder, run by each in turn.

    python benchmarks/runtimes.py                                a small encoder, seconds
    python benchmarks/runtimes.py builtin ViT-B-32 RN50 --rounds 5 --photos 64

Architectures are open_clip's, with random weights; `builtin` is the bundled encoder. Every round
starts a process for each runtime, one after another, so that a busy machine slows all alike; the
table shows medians, and each runtime's as a multiple of torch's in the same run. What was exported
stays in `--folder`, and a second call only measures.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RUNTIMES = ("torch", "float32", "int8")
HERE = Path(__file__).parent
SMALL = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 96, "layers": 4, "width": 256, "patch_size": 16},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 128,
        "heads": 2,
        "layers": 4,
    },
}
COLUMNS = {  # measured -> heading, and whether more is better
    "photos_per_second": ("photos/s", True),
    "photo_cpu_ms": ("a photo, CPU ms", False),
    "text_seconds": ("a text, s", False),
    "prompts_seconds": ("80 prompts, s", False),
    "start_seconds": ("start to a text, s", False),
    "start_cpu_seconds": ("of them CPU, s", False),
    "peak_mb": ("peak, MB", False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("architectures", nargs="*", default=["small"])
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/imgsearch-runtimes"))
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "RUNTIME"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    os.environ["XDG_CACHE_HOME"] = str(given.folder / "cache")
    if given.measure:
        print(json.dumps(measured(*given.measure, given.photos, given.folder)))
        return
    found = {each: compared(each, given) for each in given.architectures}
    (HERE / "runtimes.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    for architecture, results in found.items():
        print(table(architecture, results))


def compared(architecture: str, given: argparse.Namespace) -> dict[str, Any]:
    """Medians of every runtime, with its cosine to torch and what its export took."""
    name = architecture if architecture == "builtin" else str(folder_of(architecture, given.folder))
    results = {"torch": {}, **exported(name)}
    rounds: dict[str, list[dict[str, float]]] = {runtime: [] for runtime in results}
    for _ in range(given.rounds):
        for runtime in results:
            command = [sys.executable, __file__, "--measure", name, runtime]
            command += ["--photos", str(given.photos), "--folder", str(given.folder)]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rounds[runtime].append(json.loads(output))
    for runtime, each in rounds.items():
        medians = {key: statistics.median(one[key] for one in each) for key in each[0]}
        results[runtime] |= medians
    return results


def folder_of(architecture: str, folder: Path) -> Path:
    """A folder with random weights of an architecture, in open_clip's layout."""
    import torch
    from safetensors.torch import save_file

    from imgsearch.encoders import open_clip
    from imgsearch.encoders.sources import architecture_config

    target = folder / architecture
    if not (target / "open_clip_model.safetensors").exists():
        target.mkdir(parents=True, exist_ok=True)
        config = {
            "model_cfg": SMALL if architecture == "small" else architecture_config(architecture)
        }
        (target / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
        torch.manual_seed(0)
        save_file(open_clip.build(config).state_dict(), target / "open_clip_model.safetensors")
    return target


def exported(name: str) -> dict[str, dict[str, Any]]:
    """What exporting took, and how far its vectors lie from torch's."""
    from imgsearch import encoders
    from imgsearch.encoders.exports.exported import Exported
    from imgsearch.errors import UsageError

    found: dict[str, dict[str, Any]] = {}
    for runtime in RUNTIMES[1:]:
        before = time.process_time()
        try:
            encoder = encoders.load(name + ("@int8" if runtime == "int8" else ""), device="cpu")
            encoder = encoders.export(encoder)
        except UsageError as error:
            print(f"{name}: no {runtime}: {error}", file=sys.stderr)
            continue
        assert isinstance(encoder, Exported)
        manifest = encoder.export.manifest
        found[runtime] = {
            "export_cpu_seconds": time.process_time() - before,
            "image_cosine": manifest.image.cosine,
            "largest_difference": max(manifest.image.difference, manifest.text.difference),
            "size_mb": sum(size for size, _ in manifest.files.values()) / 1e6,
        }
    return found


def measured(name: str, runtime: str, photos: int, folder: Path) -> dict[str, float]:
    """What one fresh process takes."""
    from imgsearch import encoders, prompts

    started, cpu = time.perf_counter(), time.process_time()
    called = name + ("@int8" if runtime == "int8" else "")
    kind = "torch" if runtime == "torch" else "auto"
    encoder = encoders.load(called, device="cpu", runtime=kind)
    encoder.embed_texts(["a dog"])
    first, first_cpu = time.perf_counter() - started, time.process_time() - cpu
    filled = prompts.expand("a cat", prompts.templates("ensemble", "a cat", "en"))
    pictures = noise(photos, encoder.image_size)
    encoder.embed_images(pictures[:1])  # opened, and warm
    return {
        "start_seconds": first,
        "start_cpu_seconds": first_cpu,
        "text_seconds": best_of(5, lambda: encoder.embed_texts(["a black cat"])),
        "prompts_seconds": best_of(2, lambda: encoder.embed_texts(filled)),
        "photos_per_second": photos / best_of(2, lambda: encoder.embed_images(pictures)),
        "photo_cpu_ms": cpu_of(lambda: encoder.embed_images(pictures)) / photos * 1e3,
        "peak_mb": peak_mb(),
    }


def cpu_of(call: Any) -> float:
    before = time.process_time()
    call()
    return time.process_time() - before


def peak_mb() -> float:
    """Of this process alone: getrusage begins with what its parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


def best_of(times: int, call: Any) -> float:
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return min(found)


def noise(count: int, size: int) -> list[Any]:
    """Pictures of the size of the tower: what is measured is the tower, not Pillow."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    return [Image.fromarray(each) for each in pixels]


def table(architecture: str, results: dict[str, dict[str, float]]) -> str:
    """Markdown: a line a runtime, its median and how many times better than torch it is."""
    heads = [architecture, *(heading for heading, _ in COLUMNS.values()), "cosine", "export CPU, s"]
    lines = [" | ".join(heads), " | ".join(["---"] * len(heads))]
    for runtime, each in results.items():
        cells = [runtime]
        for key, (_, is_more_better) in COLUMNS.items():
            ratio = each[key] / results["torch"][key]
            ratio = ratio if is_more_better else 1 / ratio
            cells.append(f"{each[key]:.3g} ({ratio:.2f}x)")
        cosine, spent = each.get("image_cosine"), each.get("export_cpu_seconds")
        cells += [
            "" if cosine is None else f"{cosine:.5f}",
            "" if spent is None else f"{spent:.0f}",
        ]
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
