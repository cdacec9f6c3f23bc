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
    from imgsearch.exchanging import export_embeddings as export_embeddings
    from imgsearch.exchanging import import_embeddings as import_embeddings
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
    from imgsearch.indexing import watch as watch
    from imgsearch.library import Library as Library
    from imgsearch.library import open_library as open_library
    from imgsearch.library.last_search import last_search as last_search
    from imgsearch.organising import add_label as add_label
    from imgsearch.organising import add_to_album as add_to_album
    from imgsearch.organising import cluster as cluster
    from imgsearch.organising import draw_map as draw_map
    from imgsearch.organising import label as label
    from imgsearch.organising import list_albums as list_albums
    from imgsearch.organising import remove_from_album as remove_from_album
    from imgsearch.organising import remove_label as remove_label
    from imgsearch.organising import save_album as save_album
    from imgsearch.organising.duplicates import Group as DuplicateGroup
    from imgsearch.organising.duplicates import find_duplicates as find_duplicates
    from imgsearch.organising.taking_out import take_out as take_out
    from imgsearch.pairs import read_pairs as read_pairs
    from imgsearch.prompts import Policy as Policy
    from imgsearch.queries import Query as Query
    from imgsearch.queries import conditions as where
    from imgsearch.queries import parse as parse_query
    from imgsearch.searching import LEAST_RELEVANT as LEAST_RELEVANT
    from imgsearch.searching import Filters as Filters
    from imgsearch.searching import Hit as Hit
    from imgsearch.searching import Manner as Manner
    from imgsearch.searching import search as search
    from imgsearch.searching import search_all as search_all
    from imgsearch.searching.explaining import explain as explain
    from imgsearch.searching.explaining import heats as heats
    from imgsearch.searching.random_photos import random_photos as random_photos
    from imgsearch.searching.similar import similar as similar
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
        "Selection": "Selection",
        "caption": "caption",
        "export_captions": "export_captions",
        "import_captions": "import_captions",
        "look_up": "look_up",
    },
    "encoders": {"Encoder": "Encoder", "load_encoder": "load"},
    "errors": {"ImgsearchError": "ImgsearchError"},
    "evaluating": {
        "Measurement": "Measurement",
        "Score": "Score",
        "evaluate": "evaluate",
        "score_predictions": "score_predictions",
    },
    "exchanging": {
        "export_embeddings": "export_embeddings",
        "import_embeddings": "import_embeddings",
    },
    "indexing": {
        "Added": "Added",
        "Handover": "Handover",
        "Intake": "Intake",
        "Missing": "Missing",
        "Moved": "Moved",
        "Notice": "Notice",
        "Outcome": "Outcome",
        "Pruned": "Pruned",
        "Rebuilt": "Rebuilt",
        "Skipped": "Skipped",
        "Unchanged": "Unchanged",
        "index": "index",
        "prune": "prune",
        "rebuild": "rebuild",
        "reindex": "reindex",
        "rollback": "rollback",
        "switch": "switch",
        "watch": "watch",
    },
    "library": {"Library": "Library", "open_library": "open_library"},
    "library.last_search": {"last_search": "last_search"},
    "organising": {
        "add_label": "add_label",
        "add_to_album": "add_to_album",
        "cluster": "cluster",
        "draw_map": "draw_map",
        "label": "label",
        "list_albums": "list_albums",
        "remove_from_album": "remove_from_album",
        "remove_label": "remove_label",
        "save_album": "save_album",
    },
    "organising.duplicates": {"DuplicateGroup": "Group", "find_duplicates": "find_duplicates"},
    "organising.taking_out": {"take_out": "take_out"},
    "pairs": {"read_pairs": "read_pairs"},
    "prompts": {"Policy": "Policy"},
    "queries": {"Query": "Query", "parse_query": "parse", "where": "conditions"},
    "searching": {
        "Filters": "Filters",
        "Hit": "Hit",
        "LEAST_RELEVANT": "LEAST_RELEVANT",
        "Manner": "Manner",
        "search": "search",
        "search_all": "search_all",
    },
    "searching.explaining": {"explain": "explain", "heats": "heats"},
    "searching.random_photos": {"random_photos": "random_photos"},
    "searching.similar": {"similar": "similar"},
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
    "LEAST_RELEVANT",
    "Added",
    "CaptionerRecipe",
    "Decoding",
    "DuplicateGroup",
    "Encoder",
    "Filters",
    "FromScratch",
    "Handover",
    "Hit",
    "ImgsearchError",
    "Intake",
    "Library",
    "Manner",
    "Material",
    "Measurement",
    "Missing",
    "Moved",
    "Notice",
    "Outcome",
    "Policy",
    "Pruned",
    "Query",
    "Rebuilt",
    "Recipe",
    "Score",
    "Selection",
    "Skipped",
    "Status",
    "Unchanged",
    "__version__",
    "add_label",
    "add_to_album",
    "caption",
    "cluster",
    "doctor",
    "draw_map",
    "evaluate",
    "explain",
    "export_captions",
    "export_embeddings",
    "find_duplicates",
    "finetune",
    "heats",
    "import_captions",
    "import_embeddings",
    "index",
    "label",
    "last_search",
    "list_albums",
    "load_encoder",
    "look_up",
    "open_library",
    "parse_query",
    "prune",
    "random_photos",
    "read_pairs",
    "rebuild",
    "reindex",
    "remove_from_album",
    "remove_label",
    "rollback",
    "save_album",
    "score_predictions",
    "search",
    "search_all",
    "similar",
    "status",
    "switch",
    "take_out",
    "train_captioner",
    "watch",
    "where",
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
