"""Which loss a recipe means, applied to the embeddings of a batch.

In: the vectors of all photos and of all texts of a batch, and who was drawn for whom. Out: one
scalar. The losses themselves are in `losses`.
"""

from torch import Tensor

from imgsearch.training import losses
from imgsearch.training.batches import Contrast
from imgsearch.training.recipe import Objective


def loss_of(
    objective: Objective,
    images: Tensor,
    texts: Tensor,
    contrast: Contrast,
    scale: Tensor,
    bias: Tensor | None = None,
) -> Tensor:
    """The loss of one set in one language; images (r, d) are the photos of `contrast.rows`, texts
    (u, d) those of `contrast.drawn`."""
    drawn = contrast.drawn
    if objective.loss == "clip":
        return losses.clip_loss(images, texts[drawn.own], scale)
    if objective.loss in ("soft", "soft-per-axis"):
        soft = losses.soft_loss if objective.loss == "soft" else losses.soft_per_axis_loss
        return soft(
            images,
            texts[drawn.own],
            objective.temperature,
            normalize=objective.normalize_embeddings,
            detach_targets=objective.detach_targets,
            target_temperature=objective.target_temperature,
        )
    if objective.loss == "siglip":
        assert bias is not None, "made when a run with this loss begins"
        return losses.siglip_loss(images, texts, drawn.positives.to(images.device), scale, bias)
    right = images.new_zeros((contrast.photos, len(texts)))  # (b, u)
    right[drawn.rows] = drawn.positives.to(images)
    mixed = contrast.own * right + (1 - contrast.own) * right.roll(1, dims=0)
    return losses.multi_positive_loss(images, texts, mixed[drawn.rows], scale)
