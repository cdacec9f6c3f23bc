"""rclip, the nearest rival, on random weights: the folder of models it looks for.

A folder goes in; what its environment has to say comes out. rclip 3 runs one architecture,
ViT-B-32-256, by ONNX Runtime; what weights say changes no speed, so both towers of a random model
are exported as its own are: opset 18, any batch, inputs called `input`. Beside them lie the byte
pairs of its tokenizer, which are open_clip's.
"""

import os
import shutil
import warnings
from pathlib import Path

ARCHITECTURE = "ViT-B-32-256"
FOLDER = "ViT-B-32-256-datacomp_s34b_b86k"
MERGES = "bpe_simple_vocab_16e6.txt.gz"
CONTEXT = 77


def rclip_environment(folder: Path) -> dict[str, str]:
    """The environment that lets rclip work on the models in a folder, made where they are not."""
    if not (folder / FOLDER / "textual.onnx").exists():
        _make(folder)
    return {**os.environ, "RCLIP_DATADIR": str(folder)}


def forget_photos(folder: Path) -> None:
    """Let the next run begin anew."""
    for file in folder.glob("db.sqlite3*"):
        file.unlink()


def _make(folder: Path) -> None:
    import open_clip
    import torch

    class TextTower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            vectors: torch.Tensor = self.model.encode_text(tokens)
            return vectors

    model = open_clip.create_model(ARCHITECTURE, pretrained=None).eval()
    size = model.visual.image_size[0]
    towers = {
        "visual": (model.visual, torch.zeros(3, 3, size, size)),
        "textual": (TextTower(), torch.ones(3, CONTEXT, dtype=torch.long)),
    }
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer").mkdir(exist_ok=True)
    shutil.copy(Path(open_clip.__file__).parent / MERGES, folder / "tokenizer" / MERGES)
    for name, (tower, example) in towers.items():
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of the exporter to those who write exporters
            torch.onnx.export(
                tower,
                (example,),
                folder / FOLDER / f"{name}.onnx",
                dynamo=True,
                verbose=False,
                opset_version=18,
                input_names=["input"],
                output_names=["output"],
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            )
