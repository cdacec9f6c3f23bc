"""Exports: an encoder turned to ONNX once, and run by ONNX Runtime from then on, without torch.

In: an encoder of torch's. Out: a folder of two graphs and what its texts and pictures go through,
and an `Exported` encoder over it. An export in float32 has the identity of the encoder it was made
from, since its vectors are equal to 1e-4, which is checked before it is believed; one in int8 has
an identity of its own.

    manifest.py    what an export is, as it lies beside the graphs
    cache.py       where exports lie, and how one is found again
    sessions.py    a graph opened by ONNX Runtime
    exported.py    the encoder over an export; loads no torch
    making.py      an export made, checked, and put in its place
    graphs.py      the towers of torch as graphs
    quantizing.py  a graph in int8
"""

from imgsearch.encoders.exports.cache import (
    Export,
    Origin,
    damages,
    find,
    find_source,
    folder,
    remove,
)
from imgsearch.encoders.exports.manifest import INT8, Manifest, Precision, int8_identity, parted

__all__ = [
    "INT8",
    "Export",
    "Manifest",
    "Origin",
    "Precision",
    "damages",
    "find",
    "find_source",
    "folder",
    "int8_identity",
    "parted",
    "remove",
]
