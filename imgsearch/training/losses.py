"""Contrastive losses: pure functions of two arrays of embeddings.

Everything here takes embeddings as the towers give them (not normalised), normalises them itself,
and returns a scalar that can be differentiated. What is a positive of what comes in as a mask, so
that photos of one class, or with one sentence, are never pushed apart.
"""

from torch import Tensor
from torch.nn import functional as F


def multi_positive_loss(
    images: Tensor, texts: Tensor, positives: Tensor, logit_scale: Tensor | float
) -> Tensor:
    """Symmetric cross entropy in which a row may have several right answers, each its share of the
    target.

    images (b, d) and texts (u, d), any length; positives (b, u), true or the weight of the answer,
    at least one above zero in every row and column; logit_scale multiplies the cosines. With a diagonal mask this is CLIP's loss
    (Radford et al. 2021, figure 3); with repeats it is the bidirectional label-aware loss of UniCL
    (Yang et al. 2022).
    """
    logits = logit_scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T  # (b, u)
    targets = positives.to(logits.dtype)
    to_text = -(targets / targets.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    to_image = -(targets / targets.sum(0, keepdim=True) * logits.log_softmax(0)).sum(0).mean()
    return (to_text + to_image) / 2
