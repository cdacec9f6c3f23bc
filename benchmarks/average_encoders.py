"""Average the weights of encoders of one architecture: often better than each of them.

    python benchmarks/average_encoders.py FIRST SECOND --data DATA --out FOLDER --name builtin/2

FIRST and SECOND are encoders' folders, the second trained on from the first (Wortsman et al. 2022,
model soups). Batch statistics do not average: they are taken anew from photos of DATA, seen whole,
as a search sees them (Izmailov et al. 2018). Everything else is as in the last folder.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from imgsearch import training
from imgsearch.pairs import read_pairs
from imgsearch.training.views import still_views

SETS = {"flickr8k": 1500, "tiny-imagenet": 3000, "caltech101": 500}  # photos for the statistics
AT_ONCE = 250


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("encoders", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()
    states = [training.open_towers(str(each)).model.state_dict() for each in arguments.encoders]
    towers = training.open_towers(str(arguments.encoders[-1]))
    towers.model.load_state_dict(
        {
            name: sum(state[name] for state in states) / len(states)
            if value.is_floating_point()
            else value
            for name, value in states[-1].items()
        }
    )
    _take_statistics(towers, arguments.data)
    towers.save(arguments.out, arguments.name, half=True)


def _take_statistics(towers: training.Towers, data: Path) -> None:
    """Batch statistics over photos of all sets, mixed, each photo counting the same."""
    views = []
    for name, count in SETS.items():
        pictures = read_pairs(sorted((data / name).glob("train*.tar"))).pictures
        chosen = [pictures[place * len(pictures) // count] for place in range(count)]
        squares, _ = training.Squares(chosen, towers.image_size, towers.fit).take(range(count))
        views.append(still_views(squares, towers.image_size))
    for module in towers.model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
    towers.train()
    everything = torch.cat(views)
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for rows in order.split(AT_ONCE):
            towers.image_vectors(towers.pixels(everything[rows]))
    towers.eval()


if __name__ == "__main__":
    main()
