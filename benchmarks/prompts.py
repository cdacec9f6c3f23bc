"""What prompt templates give: every policy, both languages, on labels and on sentences.

    python benchmarks/prompts.py ENCODER DATA

ENCODER is anything `imgsearch index --encoder` takes. DATA holds tiny-imagenet/val.tar and
flickr8k/val.tar. Prints the Markdown table of benchmarks/README.md. Of each photo's sentences the
first alone is asked, or the longest ensemble would take an hour.
"""

import sys
from pathlib import Path

from imgsearch import evaluate, load_encoder, prompts, read_pairs
from imgsearch.pairs import CaptionedPhotos

POLICIES = [policy for policy in prompts.POLICIES if policy != "auto"]


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    encoder = load_encoder(sys.argv[1])
    data = Path(sys.argv[2])
    columns = [
        ("labels: Tiny-ImageNet val top-1", data / "tiny-imagenet" / "val.tar", "top_1"),
        ("sentences: Flickr8K val R@10", data / "flickr8k" / "val.tar", "text_to_image_recall@10"),
    ]
    results: dict[tuple[str, str, str], float] = {}
    for title, path, metric in columns:
        pairs = read_pairs([path])
        if isinstance(pairs, CaptionedPhotos):
            first = ({key: texts[:1] for key, texts in each.items()} for each in pairs.captions)
            pairs = CaptionedPhotos(pairs.pictures, tuple(first))
        for row in evaluate(pairs, encoder, languages=("en", "zh"), policies=POLICIES):
            results[title, row.language, row.prompt] = row.metrics[metric]
    titles = [(title, language) for title, _, _ in columns for language in ("en", "zh")]
    print("| prompt | " + " | ".join(f"{title}, {language}" for title, language in titles) + " |")
    print("|---" * (len(titles) + 1) + "|")
    for policy in POLICIES:
        cells = [f"{100 * results[title, language, policy]:.2f}" for title, language in titles]
        print(f"| {policy} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
