"""Semantic image search: index a folder of photos, search it in English or Chinese.

    import imgsearch

    library = imgsearch.open_library("my-library")
    for outcome in imgsearch.index(library, ["~/Pictures"], encoder="builtin"):
        print(outcome)
    for hit in imgsearch.search(library, "a dog on the beach", k=5):
        print(hit.score, hit.path)

Names are loaded when first used, so `import imgsearch` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from imgsearch.captioning import Decoding as Decoding
    from imgsearch.describing import Selection as Selection
    from imgsearch.describing import caption as caption
    from imgsearch.describing import export_captions as export_captions
    from imgsearch.describing import import_captions as import_captions
    from imgsearch.describing import look_up as look_up
    from imgsearch.encoders import Encoder as Encoder
    from imgsearch.encoders import load as load_encoder
    from imgsearch.errors import ImgsearchError as ImgsearchError
    from imgsearch.evaluating import Measurement as Measurement
    from imgsearch.evaluating import Score as Score
    from imgsearch.evaluating import evaluate as evaluate
    from imgsearch.evaluating import score_predictions as score_predictions
    from imgsearch.indexing import Added as Added
    from imgsearch.indexing import Handover as Handover
    from imgsearch.indexing import Intake as Intake
    from imgsearch.indexing import Missing as Missing
    from imgsearch.indexing import Moved as Moved
    from imgsearch.indexing import Notice as Notice
    from imgsearch.indexing import Outcome as Outcome
    from imgsearch.indexing import Pruned as Pruned
    from imgsearch.indexing import Rebuilt as Rebuilt
    from imgsearch.indexing import Skipped as Skipped
    from imgsearch.indexing import Unchanged as Unchanged
    from imgsearch.indexing import index as index
    from imgsearch.indexing import prune as prune
    from imgsearch.indexing import rebuild as rebuild
    from imgsearch.indexing import reindex as reindex
    from imgsearch.indexing import rollback as rollback
    from imgsearch.indexing import switch as switch
    from imgsearch.library import Library as Library
    from imgsearch.library import open_library as open_library
    from imgsearch.pairs import read_pairs as read_pairs
    from imgsearch.prompts import Policy as Policy
    from imgsearch.searching import Filters as Filters
    from imgsearch.searching import Hit as Hit
    from imgsearch.searching import search as search
    from imgsearch.training import FromScratch as FromScratch
    from imgsearch.training import Material as Material
    from imgsearch.training import Recipe as Recipe
    from imgsearch.training import finetune as finetune
    from imgsearch.training.captioner import CaptionerRecipe as CaptionerRecipe
    from imgsearch.training.captioner import train_captioner as train_captioner
    from imgsearch.upkeep import Status as Status
    from imgsearch.upkeep import doctor as doctor
    from imgsearch.upkeep import status as status

_HOMES = {
    "captioning": {"Decoding": "Decoding"},
    "describing": {
        name: name
        for name in ("Selection", "caption", "export_captions", "import_captions", "look_up")
    },
    "encoders": {"Encoder": "Encoder", "load_encoder": "load"},
    "errors": {"ImgsearchError": "ImgsearchError"},
    "evaluating": {
        name: name for name in ("Measurement", "Score", "evaluate", "score_predictions")
    },
    "indexing": {
        name: name
        for name in (
            "Added",
            "Handover",
            "Intake",
            "Missing",
            "Moved",
            "Notice",
            "Outcome",
            "Pruned",
            "Rebuilt",
            "Skipped",
            "Unchanged",
            "index",
            "prune",
            "rebuild",
            "reindex",
            "rollback",
            "switch",
        )
    },
    "library": {"Library": "Library", "open_library": "open_library"},
    "pairs": {"read_pairs": "read_pairs"},
    "prompts": {"Policy": "Policy"},
    "searching": {"Filters": "Filters", "Hit": "Hit", "search": "search"},
    "training": {
        "FromScratch": "FromScratch",
        "Material": "Material",
        "Recipe": "Recipe",
        "finetune": "finetune",
    },
    "training.captioner": {
        "CaptionerRecipe": "CaptionerRecipe",
        "train_captioner": "train_captioner",
    },
    "upkeep": {"Status": "Status", "doctor": "doctor", "status": "status"},
}
_WHERE = {
    public: (home, private) for home, names in _HOMES.items() for public, private in names.items()
}

__all__ = [
    "Added",
    "CaptionerRecipe",
    "Decoding",
    "Encoder",
    "Filters",
    "FromScratch",
    "Handover",
    "Hit",
    "ImgsearchError",
    "Intake",
    "Library",
    "Material",
    "Measurement",
    "Missing",
    "Moved",
    "Notice",
    "Outcome",
    "Policy",
    "Pruned",
    "Rebuilt",
    "Recipe",
    "Score",
    "Selection",
    "Skipped",
    "Status",
    "Unchanged",
    "__version__",
    "caption",
    "doctor",
    "evaluate",
    "export_captions",
    "finetune",
    "import_captions",
    "index",
    "load_encoder",
    "look_up",
    "open_library",
    "prune",
    "read_pairs",
    "rebuild",
    "reindex",
    "rollback",
    "score_predictions",
    "search",
    "status",
    "switch",
    "train_captioner",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'imgsearch' has no attribute {name!r}")
    home, private = _WHERE[name]
    value: object = getattr(import_module(f"imgsearch.{home}"), private)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
