"""A graph optimised by ONNX Runtime once, and opened by it in the way that suits its tower.

In: a file. Out: a session. What may be fused on any processor (the level EXTENDED) is fused when an
export is made, so that opening is reading a few hundred kilobytes and mapping the weights; layouts
that are this processor's own (the level ALL) are left to the opening. Threads wait by sleeping:
spinning, ONNX Runtime's default, takes the cores that decode the next photos.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from imgsearch.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Nothing leaves the machine. ONNX Runtime from 1.31 on keeps a device id and its runs for its
# makers unless this is set before it loads; its own function to stop that comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

INPUT, OUTPUT = "input", "output"
ERRORS = 3  # the level of its log: what it warns of is its own business
LEAST_BYTES = 1024  # of a tensor that lies beside its graph; smaller ones stay in it


def optimise(graph: Path, file: Path) -> None:
    """A graph with what can be fused fused, its weights beside it in `FILE.weights`.

    Raises UsageError for a graph that cannot be run, OSError where the file cannot be written.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(file)
    for key, value in {
        "disable_prepacking": "1",
        "optimized_model_external_initializers_file_name": f"{file.name}.weights",
        "optimized_model_external_initializers_min_size_in_bytes": str(LEAST_BYTES),
    }.items():
        options.add_session_config_entry(f"session.{key}", value)
    try:
        onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no class of their own
        _check_runs(graph)  # else it was the writing
        room = shutil.disk_usage(file.parent).free
        raise OSError(f"ONNX Runtime cannot write {file.name}, with {room:,} bytes free") from error


def open_image_tower(file: Path) -> InferenceSession:
    """For many pictures: convolutions and weights are laid out anew as this processor likes them.

    Raises UsageError where the file is gone or damaged.
    """
    return _open(file, is_for_many=True)


def open_text_tower(file: Path) -> InferenceSession:
    """For a query: the weights stay on the disk as they are, mapped and not copied.

    Raises UsageError where the file is gone or damaged.
    """
    return _open(file, is_for_many=False)


def _check_runs(graph: Path) -> None:
    import onnxruntime

    try:
        onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no class of their own
        raise UsageError(f"ONNX Runtime cannot run it: {str(error).splitlines()[0]}") from error


def _open(file: Path, *, is_for_many: bool) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    levels = onnxruntime.GraphOptimizationLevel
    if is_for_many:
        options.graph_optimization_level = levels.ORT_ENABLE_ALL
    else:
        options.graph_optimization_level = levels.ORT_DISABLE_ALL  # it is optimised already
        options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no class of their own
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"the exported tower {file} cannot be opened ({reason}); remove {file.parent}, and it "
            "is made anew"
        ) from error
