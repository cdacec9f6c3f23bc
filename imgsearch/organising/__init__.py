"""Working on a collection: labels, albums, duplicates, groups that are alike, a map, copies.

A library goes in; what is found is kept in its catalog where a person would search for it (labels,
albums), and handed back where a person would look at it (duplicates, groups, a map). Pictures are
opened to be compared and to be copied; none is ever changed or deleted.

    labelling.py    label: zero-shot labels from stored embeddings, batch by batch
    label_lists.py  labels as people write them
    confidences.py  cosines as probabilities, with `none of these`
    giving.py       a person's own labels; all labels, to write out
    albums.py       albums by hand and as saved searches
    clustering.py   cluster: groups of photos, and words for each
    mapping.py      draw_map: photos on a plane
    duplicates/     find_duplicates: the same file, picture or scene, and which copy to keep
    taking_out.py   take_out: photos into a folder, as copies or links
    texts.py        texts as an encoder of the library sees them
"""

from imgsearch.organising.albums import (
    add_to_album,
    drop_album,
    list_albums,
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
    "cluster",
    "draw_map",
    "drop_album",
    "drop_label",
    "label",
    "labelled",
    "list_albums",
    "parse_labels",
    "preview_labels",
    "read_labels",
    "remove_from_album",
    "remove_label",
    "rename_album",
    "save_album",
]
