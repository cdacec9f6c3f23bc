"""Train the bundled encoder.

    python benchmarks/train_builtin.py --data DATA --run runs/builtin

DATA holds flickr8k/, tiny-imagenet/ and caltech101/ as tars of photos with text. The run goes on
where it was when the command is given again; `runs/builtin/encoder` is replaced at every report and
can be measured meanwhile: `imgsearch eval DATA/flickr8k/val.tar --encoder runs/builtin/encoder`.
"""

import argparse
from pathlib import Path

import torch
from open_clip.tokenizer import SimpleTokenizer

from imgsearch import prompts, training
from imgsearch.pairs import CaptionedPhotos, LabelledPhotos, read_pairs

LANGUAGES = ("en", "zh")
CONTEXT = 48


def config(size: int, vocabulary: int) -> dict[str, object]:
    return {
        "model_cfg": {
            "embed_dim": 256,
            "vision_cfg": {
                "timm_model_name": "resnet10t",
                "timm_model_pretrained": False,
                "timm_pool": "avg",
                "timm_proj": "linear",
                "timm_drop_path": 0.05,
                "image_size": size,
            },
            "text_cfg": {
                "context_length": CONTEXT,
                "vocab_size": vocabulary,
                "width": 192,
                "heads": 3,
                "layers": 3,
            },
            "custom_text": True,
        },
        "preprocess_cfg": {
            "mean": list(training.Recipe.mean),
            "std": list(training.Recipe.std),
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
        "imgsearch": {
            "name": "builtin/1",
            "languages": list(LANGUAGES),
            "space_han": True,
            "bpe": "bpe.txt.gz",
        },
    }


def texts_of(photos: CaptionedPhotos | LabelledPhotos) -> list[str]:
    if isinstance(photos, CaptionedPhotos):
        return [text for each in photos.captions for texts in each.values() for text in texts]
    named = [
        (language, name)
        for label in photos.names.values()
        for language in LANGUAGES
        for name in label[language]
    ]
    return [
        text
        for language, name in named
        for text in prompts.expand(name, prompts.templates("ensemble", name, language))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/builtin"))
    parser.add_argument(
        "--stages", default="48:1.3,64:1.2,80:0.5", help="size:millions of photos, in order"
    )
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--decay", type=float, default=0.4)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.run.mkdir(parents=True, exist_ok=True)

    data = {
        name: read_pairs(sorted((arguments.data / name).glob("train*.tar")))
        for name in ("flickr8k", "tiny-imagenet", "caltech101")
    }
    bpe = arguments.run / "bpe.txt.gz"
    if not bpe.exists():
        texts = [prompts.space_han(text) for photos in data.values() for text in texts_of(photos)]
        training.save_merges(training.learn_merges(texts, most=6000, least_count=3), bpe)
    tokenizer = SimpleTokenizer(bpe_path=str(bpe), context_length=CONTEXT)

    def tokenize(text: str) -> list[int]:
        ids = tokenizer.encode(prompts.space_han(text))
        return [tokenizer.sot_token_id, *ids, tokenizer.eot_token_id]

    sets = []
    for name, side in (("flickr8k", 112), ("tiny-imagenet", 64), ("caltech101", 96)):
        make = training.captioned_set if name == "flickr8k" else training.labelled_set
        sets.append(make(name, data[name], side, tokenize, LANGUAGES))
        print(f"{name}: {len(sets[-1]):,} photos", flush=True)
    stages = tuple(
        training.Stage(int(size), round(float(millions) * 1e6))
        for size, millions in (each.split(":") for each in arguments.stages.split(","))
    )
    recipe = training.Recipe(
        stages=stages,
        batch={"flickr8k": 128, "tiny-imagenet": 384, "caltech101": 64},
        learning_rate=arguments.learning_rate,
        decay=arguments.decay,
    )
    settings = config(stages[-1].size, tokenizer.vocab_size)
    torch.manual_seed(recipe.seed)
    model = training.build(settings["model_cfg"])
    parameters = sum(each.numel() for each in model.parameters())
    print(f"{parameters / 1e6:.2f} M parameters, vocabulary {tokenizer.vocab_size:,}", flush=True)
    for progress in training.train(model, sets, recipe, arguments.run):
        print(progress, flush=True)
        training.save_encoder(model, settings, bpe, arguments.run / "encoder")


if __name__ == "__main__":
    main()
