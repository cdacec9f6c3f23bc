"""Nothing leaves the machine: what our dependencies would tell their makers is switched off."""

import os
import subprocess
import sys
from pathlib import Path

SEARCH = """
import imgsearch.encoders.exports.sessions
import onnx, onnxruntime
x, y = (onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy")
graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "negated", [x], [y])
opsets = [onnx.helper.make_opsetid("", 17)]
model = onnx.helper.make_model(graph, ir_version=8, opset_imports=opsets)
onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": [1.0]})
"""


def test_onnx_runtime_keeps_no_events_for_its_maker(tmp_path: Path) -> None:
    # It keeps them in the user's cache folder, where `HOME` and `XDG_CACHE_HOME` say it is.
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    unset = {"ORT_DISABLE_TELEMETRY"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    subprocess.run([sys.executable, "-c", SEARCH], env={**environment, **home}, check=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
