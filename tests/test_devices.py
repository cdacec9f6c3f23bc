"""Which device `auto` is, told before torch is loaded: by the driver, and by what the installed
torch was built for."""

import ctypes
import sys
from pathlib import Path
from typing import Any

import pytest

from imgsearch.weights import device


class Driver:
    """CUDA's own calls, of a machine with so many GPUs."""

    def __init__(self, version: int, count: int) -> None:
        self._version, self._count = version, count

    def cuInit(self, flags: int) -> int:
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = self._version
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self._count
        return 0


@pytest.mark.skipif(sys.platform != "linux", reason="the driver has another name elsewhere")
@pytest.mark.parametrize(
    ("cuda", "hip", "driver", "has_amd", "is_gpu"),
    [
        ("12.4", None, Driver(12040, 1), False, True),
        ("12.8", None, Driver(12040, 2), False, True),  # one of the same major version will do
        ("13.2", None, Driver(12040, 1), False, False),
        ("12.4", None, Driver(12040, 0), False, False),
        ("12.4", None, None, False, False),
        (None, None, Driver(12040, 1), False, False),  # what pip installs on Windows
        (None, "6.4", None, True, True),
        (None, "6.4", None, False, False),
    ],
)
def test_auto_is_a_gpu_where_the_driver_has_one_that_torch_was_built_for(
    cuda: str | None,
    hip: str | None,
    driver: Driver | None,
    has_amd: bool,
    is_gpu: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('torch was loaded')\n")
    (package / "version.py").write_text(f"cuda: str | None = {cuda!r}\nhip = {hip!r}\n")
    amd = tmp_path / "kfd"
    if has_amd:
        amd.touch()

    def load(name: str) -> Driver:
        if driver is None:
            raise OSError(f"{name}: cannot open shared object file")
        return driver

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(device, "AMD_DRIVER", str(amd))
    assert device.has_gpu() == is_gpu
    assert device.is_cpu("auto") == (not is_gpu)
    assert device.is_cpu("cpu") and not device.is_cpu("cuda")


def test_auto_is_one_device_for_torch_and_for_those_who_do_not_load_it() -> None:
    assert (device.choose("auto").type == "cpu") == device.is_cpu("auto")
