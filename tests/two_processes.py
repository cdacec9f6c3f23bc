"""Run by torchrun, twice at once: the gradients of one step, written down by the first."""

import sys
from pathlib import Path

import torch

from imgsearch.training.batches import Batches
from imgsearch.training.ranks import join_ranks
from imgsearch.training.sets import captioned_set
from imgsearch.training.squares import Squares
from imgsearch.training.steps import Stepper
from learning import shapes, towers
from test_steps import RECIPE

folder = Path(sys.argv[1])
ranks = join_ranks(torch.device("cpu"))
assert ranks.count == 2
pairs = shapes(folder / f"photos-{ranks.rank}")
found = captioned_set("shapes", pairs, Squares(pairs.pictures, 36), ("en", "zh"))
(batch,) = dict(Batches([found], RECIPE, ranks).steps(0, 1)).values()
assert len(batch.views) == 6
assert batch.count == 12
of = towers(folder / f"towers-{ranks.rank}")
of.train()
scaler = torch.amp.GradScaler("cpu", enabled=False)
computed = Stepper(of, RECIPE, ranks, torch.device("cpu"), scaler).gradients(0, batch)
if ranks.is_first:
    gradients = {
        name: parameter.grad
        for name, parameter in of.model.named_parameters()
        if parameter.grad is not None
    }
    torch.save({"loss": computed.loss, "gradients": gradients}, folder / "gradients.pt")
ranks.wait()
torch.distributed.destroy_process_group()
