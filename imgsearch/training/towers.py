"""The two towers of an encoder while they learn.

In: any encoder that `encoders.load` takes, or a fresh one. Out: embeddings that gradients flow
through, groups of parameters for the optimiser, and in the end the folder of a new encoder. The
class is the only one training knows: what tells the two families apart stays in their adapters, and
the adapter here runs over the very module that learns, so `evaluate(pairs, towers.encoder)`
measures the towers as they stand, in the same way as a search would.

Every parameter belongs to one of three parts. `heads` are what leads into the common space:

    image       visual.proj (ViT), visual.attnpool.c_proj (CLIP's ResNets: the last projection of
                the attention pool, whose queries, keys and values are the tower's),
                visual.head.* (timm: its linear or MLP projection, or attention pool), or the
                classifier of a timm trunk that has no other projection
    text        text_projection, text.text_projection, text.proj.* (Hugging Face towers)
    both        logit_scale, logit_bias

`image` is the rest of `visual.*`, `text` all that is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from imgsearch import encoders
from imgsearch.encoders.cn_clip import ChineseClip
from imgsearch.encoders.open_clip import OpenClip
from imgsearch.errors import UsageError
from imgsearch.training import activations, encoder_folder
from imgsearch.training.architectures import fresh_encoder
from imgsearch.training.recipe import Tower

Part: TypeAlias = Literal["image", "text", "heads"]
Token: TypeAlias = tuple[int, ...]

LARGEST_SCALE = math.log(100)
TEXT_GROUPS = 6
REMEMBERED = 2**17  # texts whose tokens are kept: about 40 MB
SCALES = ("logit_scale", "logit_bias")
HEADS = (
    "visual.proj",
    "visual.attnpool.c_proj",
    "visual.head",
    "text_projection",
    "text.text_projection",
    "text.proj",
)
BIAS = -10.0  # where SigLIP starts, and its scale at 10 (Zhai et al. 2023)


class Towers:
    """Made by `open_towers` or `fresh_towers`; in evaluation mode, with nothing locked.

    `encoder` is the adapter over `model`. Its `identity` is that of the weights it came with, so
    nothing may be kept under it once a step is done: only the saved folder, loaded again, has the
    identity of what was learnt. `fit` is how a picture becomes a square of `image_size` pixels
    before the towers see it, in open_clip's words. `parameters` counts them, locked ones as well.
    """

    def __init__(self, encoder: OpenClip | ChineseClip, *, is_fresh: bool = False) -> None:
        height, width = encoder.preprocess["size"]
        if height != width:
            raise UsageError(
                f"{encoder.name} sees pictures of {width} x {height} pixels, and only towers that "
                "see squares can be trained; start from another encoder"
            )
        self.encoder = encoder
        self.model: nn.Module = encoder.model
        self.is_fresh = is_fresh
        self.base = None if is_fresh else encoder.name
        self.image_size = encoder.image_size
        self.fit: Literal["squash", "shortest", "longest"] = encoder.preprocess["resize_mode"]
        self.parameters = sum(each.numel() for each in self.model.parameters())
        self._mean, self._std = (
            torch.tensor(encoder.preprocess[name], device=encoder.device).view(1, 3, 1, 1)
            for name in ("mean", "std")
        )
        self._classifier = _classifier(self.model)
        self._tokens = lru_cache(REMEMBERED)(self._cut_tokens)
        self._is_checkpointed = False
        self.model.to(memory_format=torch.channels_last)
        self.lock("none")

    @property
    def family(self) -> Literal["open_clip", "cn_clip"]:
        """Whose names the tensors have."""
        return "open_clip" if isinstance(self.encoder, OpenClip) else "cn_clip"

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages the encoder's texts may be in."""
        return self.encoder.languages

    @property
    def device(self) -> torch.device:
        """Where the towers are; pixels and tokens are taken there."""
        return self.encoder.device

    @property
    def logit_scale(self) -> nn.Parameter:
        """The logarithm of what cosines are multiplied with, () or (1,)."""
        return self.model.get_parameter("logit_scale")

    @property
    def logit_bias(self) -> nn.Parameter | None:
        """What is added to the scaled cosines: SigLIP's towers have one, others after
        `use_bias`."""
        found: nn.Parameter | None = getattr(self.model, "logit_bias", None)
        return found

    def use_bias(self) -> None:
        """Make a bias where there is none, before `groups` is called.

        It starts at -10, and the scale of fresh towers at 10 with it, where SigLIP starts. A
        Chinese-CLIP folder has no place for it: it is not saved, and no embedding depends on it.
        """
        if self.logit_bias is not None:
            return
        scale = self.logit_scale
        bias = nn.Parameter(torch.full_like(scale, BIAS, requires_grad=True))
        self.model.__dict__.pop("logit_bias", None)  # open_clip says None where it has none
        self.model.register_parameter("logit_bias", bias)
        if self.is_fresh:
            with torch.no_grad():
                scale.fill_(math.log(-BIAS))

    def train(self) -> None:
        """Training mode; a locked tower stays as it was: no dropout, batch statistics unmoved."""
        self.model.train()
        for name, child in self.model.named_children():
            if not self._learns(f"{name}."):
                child.eval()

    def eval(self) -> None:
        """Evaluation mode: what `encoder` needs to embed as a search would."""
        self.model.eval()

    def lock(self, tower: Tower) -> None:
        """Let this tower, its projection with it, learn nothing from now on, and the other learn.

        The scale is of no tower. May be called again with another value, for a run of two stages:
        as an optimiser leaves alone what has no gradient, `groups` is then best called before a
        lock that is not for good.
        """
        self._locked = tower
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self._learns(name))
        if self.model.training:
            self.train()

    def groups(
        self, rates: Mapping[str, float], weight_decay: float, head_decay: float | None = None
    ) -> list[dict[str, Any]]:
        """Groups for AdamW of every parameter that learns: part by part, decayed or not.

        rates maps each part to its rate. Only what has two dimensions or more decays: no norms,
        biases, class embeddings, nor the scale; heads by `head_decay`, where there is one. A group
        says its `part` and its own `rate` beside what the optimiser reads.
        """
        found: dict[tuple[Part, bool], list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                is_decayed = parameter.ndim >= 2 and name not in SCALES
                found.setdefault((self.part_of(name), is_decayed), []).append(parameter)
        groups = []
        for (part, is_decayed), parameters in sorted(found.items(), key=lambda each: each[0]):
            own = head_decay if part == "heads" and head_decay is not None else weight_decay
            groups.append(
                {
                    "params": parameters,
                    "weight_decay": own if is_decayed else 0.0,
                    "lr": rates[part],
                    "rate": rates[part],
                    "part": part,
                }
            )
        return groups

    def part_of(self, name: str) -> Part:
        """The part a parameter belongs to, by its name in the model."""
        is_head = any(name == head or name.startswith(f"{head}.") for head in HEADS)
        if is_head or name in SCALES or name in self._classifier:
            return "heads"
        return "image" if name.startswith("visual.") else "text"

    def checkpoint_activations(self, on: bool) -> None:
        """Compute activations again on the way back instead of keeping them: less memory, slower.

        The gradients are the same. Batch statistics of a timm trunk are taken up twice a step.
        Raises UsageError, naming the tower, where one cannot.
        """
        if on != self._is_checkpointed:
            activations.checkpoint_towers(self.model, on)
        self._is_checkpointed = on

    def pixels(self, squares: Tensor) -> Tensor:
        """What the image tower sees of squares (b, 3, s, s), float in [0, 1]: scaled, on its
        device."""
        scaled = (squares.to(self.device, non_blocking=True) - self._mean) / self._std
        return scaled.contiguous(memory_format=torch.channels_last)

    def tokens(self, text: str) -> Token:
        """The token ids of a text, start and end included; cut to what the tower reads, with the
        end kept."""
        return self._tokens(text)

    def image_vectors(self, pixels: Tensor) -> Tensor:
        """(b, 3, s, s) as `pixels` makes them -> (b, d), of any length; gradients flow."""
        return self.encoder.image_vectors(pixels)

    def text_vectors(self, tokens: Sequence[Token]) -> Tensor:
        """Rows of `tokens` -> (u, d) in their order, of any length; gradients flow.

        Texts of like length go together, each group only as far as its longest, where a tower does
        not see what follows a text: it is what the full length gives, at about a fifth of its cost.
        """
        if not tokens:
            return torch.zeros((0, self.encoder.dim), device=self.device)
        order = sorted(range(len(tokens)), key=lambda index: len(tokens[index]))
        count = math.ceil(len(order) / TEXT_GROUPS) if self.encoder.ignores_padding else len(order)
        vectors = []
        for start in range(0, len(order), count):
            group = [tokens[index] for index in order[start : start + count]]
            padded = self.encoder.padded(group)  # (u', t)
            vectors.append(self.encoder.text_vectors(padded.to(self.device)))
        return torch.cat(vectors)[torch.tensor(order, device=self.device).argsort()]

    def clamp_scale(self) -> None:
        """Keep the scale in [1, 100], as CLIP does after every step."""
        with torch.no_grad():
            self.logit_scale.clamp_(0, LARGEST_SCALE)

    def save(self, folder: Path, name: str, *, half: bool = False) -> None:
        """Write the encoder as it stands; see `encoder_folder`. `half` halves its size."""
        encoder_folder.save_encoder(self.encoder, folder, name=name, base=self.base, half=half)

    def learns(self, tower: str) -> bool:
        """Whether any parameter of the `image` or `text` tower is unlocked."""
        is_image = tower == "image"
        return any(
            parameter.requires_grad
            for name, parameter in self.model.named_parameters()
            if name.startswith("visual.") == is_image and name not in SCALES
        )

    def _learns(self, name: str) -> bool:
        """Whether a parameter or a child of that name (with a dot behind it) is unlocked."""
        if name.startswith("text_decoder."):
            return False  # CoCa's decoder: no contrastive loss reaches it
        tower = "image" if name.startswith("visual.") else "text"
        return name in SCALES or tower != self._locked

    def _cut_tokens(self, text: str) -> Token:
        ids = self.encoder.token_ids(text)
        if len(ids) <= self.encoder.context:
            return ids
        return (*ids[: self.encoder.context - 1], ids[-1])


def open_towers(start: str, *, device: str = "auto", models: Path | None = None) -> Towers:
    """The towers of an encoder, by any name that `encoders.load` takes, ready to learn.

    Raises what `load` raises, and UsageError for a tower whose pictures are not square.
    """
    encoder = encoders.load(start, device=device, models=models, runtime="torch")
    if not isinstance(encoder, OpenClip | ChineseClip):
        raise UsageError(f"{start} is a {type(encoder).__name__}, which has no towers to train")
    return Towers(encoder)


def fresh_towers(
    architecture: str | Path, *, texts: Iterable[str], folder: Path, device: str = "auto"
) -> Towers:
    """Towers that have learnt nothing: random weights, which `torch.manual_seed` decides.

    architecture is `small` or `small-SIZE` (`architectures.small_clip`), `cn_clip/ARCHITECTURE`, a
    name of open_clip's (`ViT-B-32`, `RN50`), or the path of an `open_clip_config.json`. texts are
    what it will learn from: they tell its languages, and a vocabulary is learnt from them into
    `folder` where the architecture wants one. Raises NoEncoderError for a name nobody has,
    UsageError for a description that cannot be built.
    """
    return Towers(
        fresh_encoder(architecture, texts=texts, folder=folder, device=device), is_fresh=True
    )


def _classifier(model: Any) -> frozenset[str]:
    """Names of a timm trunk's own classifier, where that is the projection."""
    if not hasattr(model.visual, "trunk"):
        return frozenset()
    own = {id(parameter) for parameter in model.visual.trunk.get_classifier().parameters()}
    return frozenset(name for name, each in model.named_parameters() if id(each) in own)
