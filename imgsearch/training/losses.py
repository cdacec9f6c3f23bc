"""Contrastive losses: pure functions of embeddings, and the mask of what belongs together.

In: images (b, d) and texts (b, d) or (u, d) as the towers give them, of any length, float32. Out: a
scalar that can be differentiated. All but the soft losses normalise rows themselves, and those do
when told to: their published form does not, and is kept with its defects so that it can be compared
with what mends them. What is a positive of what comes in as a mask, so that photos of one class,
or with one sentence, are never pushed apart.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def clip_loss(images: Tensor, texts: Tensor, logit_scale: Tensor | float) -> Tensor:
    """Symmetric cross entropy over the batch: text i is the one answer to image i, and it to text i
    (Radford et al. 2021, figure 3).

    images and texts (b, d); logit_scale multiplies the cosines.
    """
    logits = logit_scale * _cosines(images, texts)  # (b, b)
    answers = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, answers) + F.cross_entropy(logits.T, answers)) / 2


def multi_positive_loss(
    images: Tensor, texts: Tensor, positives: Tensor, logit_scale: Tensor | float
) -> Tensor:
    """Symmetric cross entropy in which a row may have several right answers, each its share of the
    target.

    images (b, d) and texts (u, d); positives (b, u), true or the weight of the answer, at least one
    above zero in every row and column; logit_scale multiplies the cosines. With a diagonal mask
    this is `clip_loss`; with repeats it is the bidirectional label-aware loss of UniCL (Yang et al.
    2022).
    """
    logits = logit_scale * _cosines(images, texts)  # (b, u)
    targets = positives.to(logits.dtype)
    to_text = _cross_entropy(logits, targets / targets.sum(1, keepdim=True))
    to_image = _cross_entropy(logits.T, targets.T / targets.T.sum(1, keepdim=True))
    return (to_text + to_image) / 2


def soft_loss(
    images: Tensor,
    texts: Tensor,
    temperature: float = 1.0,
    *,
    normalize: bool = False,
    detach_targets: bool = False,
    target_temperature: float | None = None,
) -> Tensor:
    """Cross entropy with soft targets: how alike the images are, averaged with how alike the texts
    are (M. Shariatnia's OpenAI-CLIP, 2021).

    images and texts (b, d). As published, three things are odd, and kept: the targets of the second
    direction are those of the first transposed, whose rows do not add up to 1; the gradient flows
    through the targets; and `temperature` divides the logits but multiplies the similarities that
    the targets come from, so a lower one makes the logits sharper and the targets flatter.
    `normalize` scales rows to length 1 first, `detach_targets` holds the targets fixed, and
    `target_temperature` divides the similarities instead: rows of length 1 need it, their targets
    are nearly all the same without. Embeddings that are all the same cost ln b.
    """
    if normalize:
        images, texts = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)
    logits = texts @ images.T / temperature  # (b, b), one row a text
    sharpness = temperature if target_temperature is None else 1 / target_temperature
    targets = ((images @ images.T + texts @ texts.T) / 2 * sharpness).softmax(1)
    if detach_targets:
        targets = targets.detach()
    return (_cross_entropy(logits, targets) + _cross_entropy(logits.T, targets.T)) / 2


def soft_per_axis_loss(
    images: Tensor,
    texts: Tensor,
    temperature: float = 1.0,
    *,
    normalize: bool = False,
    detach_targets: bool = False,
    target_temperature: float | None = None,
) -> Tensor:
    """`soft_loss` with a target for each direction: a text is looked for among images as the images
    are alike, an image among texts as the texts are. Photos that look alike need not be told alike.

    Every target's row adds up to 1, and `temperature` divides the logits alone, the similarities
    only `target_temperature`; the rest is as in `soft_loss`.
    """
    if normalize:
        images, texts = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)
    logits = texts @ images.T / temperature  # (b, b), one row a text
    divisor = 1.0 if target_temperature is None else target_temperature
    image_targets, text_targets = ((each @ each.T / divisor).softmax(1) for each in (images, texts))
    if detach_targets:
        image_targets, text_targets = image_targets.detach(), text_targets.detach()
    return (_cross_entropy(logits, image_targets) + _cross_entropy(logits.T, text_targets)) / 2


def siglip_loss(
    images: Tensor,
    texts: Tensor,
    positives: Tensor,
    logit_scale: Tensor | float,
    logit_bias: Tensor | float,
) -> Tensor:
    """Every pair a question of its own: does this text belong to this image? Summed over texts, the
    mean over images (Zhai et al. 2023).

    images (b, d) and texts (u, d); positives (b, u), true or the weight of a yes in [0, 1];
    logits are logit_scale times the cosine plus logit_bias. With yes or no this is -log sigmoid of
    the logit, its sign turned where the answer is no; on a diagonal mask it is what open_clip's
    `SigLipLoss` gives for normalised rows in one process.
    """
    logits = logit_scale * _cosines(images, texts) + logit_bias  # (b, u)
    wanted = positives.to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / len(logits)


def _cosines(images: Tensor, texts: Tensor) -> Tensor:
    return F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T  # (b, u)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over rows; targets are taken as they are, whatever they add up to."""
    return -(targets * logits.log_softmax(1)).sum(1).mean()
