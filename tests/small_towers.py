"""Small towers of both families and of every kind of image tower, and a loss to train them by."""

import torch

from imgsearch.encoders import cn_clip as chinese
from imgsearch.encoders.open_clip import OpenClip, Settings
from imgsearch.training.towers import Towers
from small_encoders import CHINESE_MODEL, MODEL, TEXTS

RATES = {"image": 1e-4, "text": 1e-5, "heads": 1e-3}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
TIMM = {
    "timm_model_name": "resnet10t",
    "timm_model_pretrained": False,
    "timm_pool": "avg",
    "timm_proj": "linear",
    "image_size": 32,
}
SHORT_TEXT = {**MODEL["text_cfg"], "layers": 1}
KINDS = ("vit", "resnet", "timm", "chinese", "chinese_resnet")


def towers_of(kind: str) -> Towers:
    """Small towers of a kind; the same random weights each time."""
    torch.manual_seed(3)
    if kind.startswith("chinese"):
        layers = {"vision_layers": [1, 1, 1, 1], "vision_width": 8} if "resnet" in kind else {}
        config = {**CHINESE_MODEL, **layers}
        return Towers(chinese.ChineseClip(None, config, name="x", source="x", device="cpu"))
    vision = {"vit": MODEL["vision_cfg"], "resnet": RESNET, "timm": TIMM}[kind]
    model = {**MODEL, "vision_cfg": vision, "text_cfg": SHORT_TEXT, "custom_text": kind == "timm"}
    settings = Settings(model, {"resize_mode": "squash"}, ("en",))
    return Towers(OpenClip(None, settings, name="x", source="x", device="cpu"))


def squares(towers: Towers, count: int = 4) -> torch.Tensor:
    side = towers.image_size
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(7))


def loss_of(towers: Towers) -> torch.Tensor:
    """A plain contrastive loss that reaches every part."""
    images = towers.image_vectors(towers.pixels(squares(towers)))
    texts = towers.text_vectors([towers.tokens(text) for text in (*TEXTS, "one more of them")])
    rows, columns = (torch.nn.functional.normalize(each, dim=-1) for each in (images, texts))
    logits = towers.logit_scale.exp() * rows @ columns.T
    right = torch.arange(4)
    return torch.nn.functional.cross_entropy(logits, right) + torch.nn.functional.cross_entropy(
        logits.T, right
    )
