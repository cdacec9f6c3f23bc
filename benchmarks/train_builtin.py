"""Train the bundled encoder.

    python benchmarks/train_builtin.py --data DATA --run runs/builtin

DATA holds flickr8k/, tiny-imagenet/ and caltech101/ as tars of photos with text. The run goes on
where it was when the command is given again; `runs/builtin/encoder` is replaced at every report and
can be measured meanwhile: `imgsearch eval DATA/flickr8k/val.tar --encoder runs/builtin/encoder`.
"""

import argparse
from pathlib import Path

import torch

from imgsearch import training
from imgsearch.pairs import CaptionedPhotos, read_pairs

LANGUAGES = ("en", "zh")
SETS = {  # name -> (photos a step, side in pixels they are held at)
    "flickr8k": (128, 112),
    "tiny-imagenet": (384, 64),
    "caltech101": (64, 96),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/builtin"))
    parser.add_argument(
        "--stages", default="32:0.5,48:0.8,64:0.85", help="size:millions of photos, in order"
    )
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--decay", type=float, default=0.4)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.run.mkdir(parents=True, exist_ok=True)

    photos = {name: read_pairs(sorted((arguments.data / name).glob("train*.tar"))) for name in SETS}
    bpe = arguments.run / "bpe.txt.gz"
    if bpe.exists():
        vocabulary = training.Vocabulary(bpe)
    else:
        texts = (text for each in photos.values() for text in training.texts_of(each, LANGUAGES))
        vocabulary = training.learn_vocabulary(texts, bpe)

    sets = []
    for name, (_, side) in SETS.items():
        pairs = photos[name]
        if isinstance(pairs, CaptionedPhotos):
            made = training.captioned_set(name, pairs, side, vocabulary.tokenize, LANGUAGES)
        else:
            made = training.labelled_set(name, pairs, side, vocabulary.tokenize, LANGUAGES)
        print(f"{name}: {len(made):,} photos", flush=True)
        sets.append(made)

    stages = [each.split(":") for each in arguments.stages.split(",")]
    recipe = training.Recipe(
        stages=tuple(
            training.Stage(int(size), round(float(millions) * 1e6)) for size, millions in stages
        ),
        batch={name: count for name, (count, _) in SETS.items()},
        learning_rate=arguments.learning_rate,
        decay=arguments.decay,
    )
    config = training.small_clip("builtin/1", recipe.stages[-1].size, vocabulary.size, LANGUAGES)
    torch.manual_seed(recipe.seed)
    model = training.build(config["model_cfg"])
    parameters = sum(each.numel() for each in model.parameters())
    print(f"{parameters / 1e6:.2f} M parameters, vocabulary {vocabulary.size:,}", flush=True)
    for progress in training.train(model, sets, recipe, arguments.run):
        print(progress, flush=True)
        training.save_encoder(model, config, bpe, arguments.run / "encoder")


if __name__ == "__main__":
    main()
