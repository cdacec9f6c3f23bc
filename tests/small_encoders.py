"""Small true models of both families for the encoder tests: random weights, files as their tools
write.

The golden files were computed by the reference implementations; their origin is in
`golden/README.md`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from imgsearch.encoders import cn_clip as chinese
from imgsearch.encoders import open_clip as adapter

GOLDEN = Path(__file__).parent / "golden"
TEXTS = ["a cat", "a photo of two dogs that run after a red ball on the beach", "coffee"]
CHINESE = ["金鱼", "一杯咖啡放在木头桌子上，旁边有一本书", "“海滩”上的 DOG"]
State = dict[str, torch.Tensor]


def golden(name: str) -> tuple[State, State]:
    """The weights of a golden file, and its inputs and outputs without the prefix."""
    everything = load_file(GOLDEN / f"{name}.safetensors")
    found = {key: value for key, value in everything.items() if key.startswith("golden.")}
    weights = {key: value for key, value in everything.items() if key not in found}
    return weights, {key.removeprefix("golden."): value for key, value in found.items()}


def pictures(count: int, size: tuple[int, int] = (100, 70)) -> list[Image.Image]:
    random = np.random.default_rng(5)
    shape = (count, size[1], size[0], 3)
    return [Image.fromarray(pixels) for pixels in random.integers(0, 256, shape, np.uint8)]


def unit(rows: torch.Tensor) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = torch.nn.functional.normalize(rows, dim=-1).numpy()
    return found


def furthest(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


MODEL: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 128, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 3},
}
CHINESE_MODEL: dict[str, Any] = {
    "embed_dim": 64,
    "image_resolution": 32,
    "vision_layers": 2,
    "vision_width": 64,
    "vision_patch_size": 8,
    "vocab_size": 21128,
    "text_attention_probs_dropout_prob": 0.1,
    "text_hidden_act": "gelu",
    "text_hidden_dropout_prob": 0.1,
    "text_hidden_size": 64,
    "text_initializer_range": 0.02,
    "text_intermediate_size": 128,
    "text_max_position_embeddings": 64,
    "text_num_attention_heads": 1,
    "text_num_hidden_layers": 2,
    "text_type_vocab_size": 2,
}


def write_folder(folder: Path, **changes: Any) -> Path:
    """A folder in open_clip's local-dir layout; the same seed, so the same weights, each time."""
    folder.mkdir(parents=True)
    config = {"model_cfg": MODEL, "preprocess_cfg": {"size": 64}, **changes}
    (folder / "open_clip_config.json").write_text(json.dumps(config), "utf-8")
    torch.manual_seed(1)
    model = adapter.build(config)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def write_chinese_file(path: Path) -> Path:
    """A checkpoint as Chinese-CLIP's own training writes it; the same weights each time."""
    torch.manual_seed(2)
    state = chinese.build(CHINESE_MODEL).state_dict()
    wrapped = {f"module.{key}": value for key, value in state.items()}
    torch.save({"epoch": 1, "state_dict": wrapped}, path)
    return path


def hugging_face_folder(folder: Path, **options: Any) -> Path:
    """A small tokenizer in the files of Hugging Face: BERT's, over a few words."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[B]", "[E]", "a", "dog", "cat", "##s", "金", "."]
    vocabulary = {word: id for id, word in enumerate(words)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        bos_token="[B]",
        eos_token="[E]",
        **options,
    ).save_pretrained(folder)
    return folder
