"""Captioners against the reference code: the largest differences, and how many sequences agree.

    python benchmarks/captioner_parity.py

Weights, inputs and outputs are those of tests/golden, which the reference code computed with random
weights; they are read through the path that published checkpoints take. `tests/` asserts the same.
"""

import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from imgsearch.captioning.captioner import Captioner
from imgsearch.captioning.decoding import Decoding, Ends, beam_search, decode
from imgsearch.captioning.mappers import MapperConfig, make_mapper
from small_captioners import CHINESE, ENGLISH, cases, published  # found just above
from small_encoders import furthest, golden


@torch.no_grad()
def main() -> None:
    print("| captioner | prefix | logits | token sequences |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in (*ENGLISH, *CHINESE):
            captioner, expected = published(name, Path(folder)), golden(name)[1]
            row = chinese if name in CHINESE else english
            print(f"| {name} | " + " | ".join(row(name, captioner, expected)) + " |")


def english(name: str, captioner: Captioner, expected: dict[str, torch.Tensor]) -> list[str]:
    """Prefix, logits, and how many greedy sentences and lists of beams are the reference's."""
    kind = name.removeprefix("clipcap_model_")
    weights, numbers = golden(f"clipcap_{kind}")
    mapper = make_mapper(MapperConfig(kind, 24, 4, 32, 4, layers=2))
    mapper.load_state_dict(weights)
    is_real = expected["mask"].bool()
    logits = captioner.model.logits(expected["prefix"], expected["tokens"])
    file = cases("clipcap_decode")
    greedy = beams = 0
    tried = file["models"][kind]["cases"]
    for case in tried:
        row = expected["decode_prefixes"][case["prefix_row"]][None]
        ends = Ends((), (case["stop_token"],))
        asked = Decoding(
            "greedy", beams=file["beam_size"], longest=case["entry_length"], no_repeat=0
        )
        found = list(decode(captioner.model, row, ends, asked)[0].tokens)
        greedy += found == (case["greedy"] or [case["stop_token"]])
        every = [list(each.tokens) for each in beam_search(captioner.model, row, ends, asked)[0]]
        beams += every == [each["tokens"] for each in case["beam"]]
    return [
        f"{furthest(mapper(numbers['input']), numbers['output']):.1e}",
        f"{furthest(logits[is_real], expected['logits'][is_real]):.1e}",
        f"greedy {greedy} of {len(tried)}, all five beams {beams} of {len(tried)}",
    ]


def chinese(name: str, captioner: Captioner, expected: dict[str, torch.Tensor]) -> list[str]:
    """Prefix, logits, and how many batches of samples are the reference's."""
    is_real = expected["mask"].bool()
    logits = captioner.model.logits(expected["clip_embeds"], expected["caption_ids"])
    tried = cases("clipcap_chinese_sampling")["models"][name.removeprefix("clipcap_chinese_")]
    same = 0
    for case in tried["cases"]:
        asked = Decoding(
            "sample",
            top_k=case["topk"],
            top_p=case["topp"] or 1.0,
            temperature=case["temperature"],
            longest=case["max_len"] + 1,
            no_repeat=0,
        )
        generator = torch.Generator().manual_seed(case["torch_manual_seed"])
        rows = expected["sample_clip_embeds"][case["rows"]]
        found = decode(captioner.model, rows, Ends((), (102,), (100,)), asked, [generator])
        same += [[token for token in each.tokens if token != 102] for each in found] == case["ids"]
    prefix = captioner.model.prefix(expected["clip_embeds"])
    return [
        f"{furthest(prefix, expected['prefix_embeds']):.1e}",
        f"{furthest(logits[is_real], expected['logits'][is_real]):.1e}",
        f"samples {same} of {len(tried['cases'])}",
    ]


if __name__ == "__main__":
    main()
