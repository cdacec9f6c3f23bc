"""An image tower in int8: its matrix products computed in bytes.

In: the graph of an exported tower. Out: one of a quarter of the size; no torch is needed. Weights
have a scale for each channel, what they are multiplied with gets its own while it runs. Weights
take 7 of their 8 bits: processors without VNNI add pairs of products in 16 bits, which 8 would
overflow, and the same photo would get another vector there. It costs 1e-4 of cosine and no time.
Convolutions stay as they are: in bytes they take longer.
"""

from __future__ import annotations

import logging
from math import prod
from pathlib import Path

from imgsearch.errors import UsageError

PRODUCTS = ["MatMul", "Gemm"]
LEAST_SHARE = 0.5  # of a tower's weights in products; with less, bytes save no time


def quantize(graph: Path, file: Path) -> None:
    """Write the graph with its products in int8.

    Raises UsageError for a tower that mostly convolves: its convolutions would stay as they are.
    """
    share = _share_of_products(graph)
    if share < LEAST_SHARE:
        raise UsageError(
            f"only {share:.0%} of the weights of its image tower are in matrix products, the rest "
            "in convolutions, which int8 makes no faster: use it without @int8"
        )
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    logger.addFilter(_is_news)
    try:
        quantize_dynamic(
            graph,
            file,
            op_types_to_quantize=PRODUCTS,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=True,
        )
    finally:
        logger.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a record is any but the advice to do what was done already."""
    return "pre-processing before quantization" not in record.getMessage()


def _share_of_products(graph: Path) -> float:
    """How much of a tower's weights its matrix products hold."""
    import onnx

    found = onnx.load(graph, load_external_data=False).graph
    sizes = {each.name: prod(each.dims) for each in found.initializer}
    in_products = {name for node in found.node if node.op_type in PRODUCTS for name in node.input}
    products = sum(size for name, size in sizes.items() if name in in_products)
    return float(products / sum(sizes.values()))
