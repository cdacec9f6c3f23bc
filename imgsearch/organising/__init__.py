"""Working on a collection: labels, groups of photos that are alike, a map of them all.

A library goes in; what is found is kept in its catalog where a person would search for it (labels),
and handed back where a person would look at it (groups, a map). Nothing here opens a picture, and
nothing changes one.

    labelling.py    label: zero-shot labels from stored embeddings, batch by batch
    label_lists.py  labels as people write them
    confidences.py  cosines as probabilities, with `none of these`
    giving.py       a person's own labels; all labels, to write out
    albums.py       albums by hand and as saved searches
    clustering.py   cluster: groups of photos, and words for each
    mapping.py      draw_map: photos on a plane
    texts.py        texts as an encoder of the library sees them
"""

from imgsearch.organising.albums import (
    add_to_album,
    albums,
    drop_album,
    remove_from_album,
    rename_album,
    save_album,
)
from imgsearch.organising.clustering import Cluster, cluster
from imgsearch.organising.giving import add_label, drop_label, labelled, remove_label
from imgsearch.organising.label_lists import LabelText, parse_labels, read_labels
from imgsearch.organising.labelling import (
    Bounds,
    LabelEvent,
    Labelled,
    LabelsBegan,
    LabelsFinished,
    LabelTold,
    label,
    preview_labels,
)
from imgsearch.organising.mapping import PhotoMap, Point, draw_map

__all__ = [
    "Bounds",
    "Cluster",
    "LabelEvent",
    "LabelText",
    "LabelTold",
    "Labelled",
    "LabelsBegan",
    "LabelsFinished",
    "PhotoMap",
    "Point",
    "add_label",
    "add_to_album",
    "albums",
    "cluster",
    "draw_map",
    "drop_album",
    "drop_label",
    "label",
    "labelled",
    "parse_labels",
    "preview_labels",
    "read_labels",
    "remove_from_album",
    "remove_label",
    "rename_album",
    "save_album",
]
