"""Every architecture at its full size agrees with its package, given the same random weights."""

import gc
import runpy
from pathlib import Path

import pytest

PARITY = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "parity.py"))


@pytest.mark.model
@pytest.mark.parametrize("name", PARITY["NAMES"])
def test_full_size_rows_agree_with_the_package(name: str, tmp_path: Path) -> None:
    found = PARITY["compare"](name, tmp_path)
    gc.collect()
    assert found.image < 1e-5
    assert found.text < 1e-5
    assert found.spread > 1e-4  # rows of different inputs do differ, so agreement means something
