"""Embeddings as arrays and as bytes: unit length, the ensemble of several, and the stored form."""

import numpy as np
import pytest

from imgsearch.vectors import ensemble, from_bytes, normalise, to_bytes


def test_rows_become_unit_length_and_keep_their_direction() -> None:
    unit = normalise(np.array([[3, 4], [0, -2]], np.float32))
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, [[0.6, 0.8], [0, -1]], atol=1e-7)


def test_one_row_stays_one_row() -> None:
    assert normalise(np.array([0, 5], np.float32)).tolist() == [0, 1]


def test_normalising_leaves_its_input_alone() -> None:
    rows = np.array([[3, 4]], np.float32)
    normalise(rows)
    assert rows.tolist() == [[3, 4]]


def test_no_rows_are_fine() -> None:
    assert normalise(np.zeros((0, 3), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_extreme_values_neither_overflow_nor_vanish(size: float) -> None:
    unit = normalise(np.array([[3 * size, 4 * size]], np.float32))
    np.testing.assert_allclose(unit, [[0.6, 0.8]], atol=1e-6)


@pytest.mark.parametrize("bad", [0, np.nan, np.inf])
def test_a_row_without_direction_is_an_error_that_names_it(bad: float) -> None:
    with pytest.raises(ValueError, match="row 1"):
        normalise(np.array([[1, 0], [bad, 0]], np.float32))


def test_ensemble_normalises_before_and_after_the_mean() -> None:
    rows = np.array([[100, 0], [0, 1]], np.float32)  # the long row must not outvote the short one
    np.testing.assert_allclose(ensemble(rows), [np.sqrt(0.5)] * 2, atol=1e-7)


def test_ensemble_agrees_with_numpy_on_random_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(80, 512)).astype(np.float32)
    mean = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(0)
    np.testing.assert_allclose(ensemble(rows), mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (3,)])
def test_ensemble_needs_rows(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="n >= 1"):
        ensemble(np.ones(shape, np.float32))


def test_rows_that_cancel_out_are_an_error() -> None:
    with pytest.raises(ValueError, match="zero"):
        ensemble(np.array([[1, 0], [-1, 0]], np.float32))


def test_float32_survives_the_round_trip_to_the_bit() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    back = from_bytes([to_bytes(row) for row in rows], 7)
    assert back.dtype == np.float32
    assert np.array_equal(back, rows)


def test_bytes_are_little_endian() -> None:
    assert to_bytes(np.array([1.0], np.float32)) == b"\x00\x00\x80\x3f"
    assert to_bytes(np.array([1.0], np.float32), "float16") == b"\x00\x3c"


def test_rows_of_both_widths_may_be_mixed() -> None:
    row = np.array([0.5, -0.25, 0.1], np.float32)
    back = from_bytes([to_bytes(row, "float16"), to_bytes(row)], 3)
    np.testing.assert_allclose(back[0], row, atol=1e-4)
    assert np.array_equal(back[1], row)


def test_what_comes_back_may_be_written_to() -> None:
    back = from_bytes([to_bytes(np.ones(2, np.float32))], 2)
    back[0] = 0  # frombuffer alone would give read-only memory


def test_no_blobs_give_no_rows() -> None:
    assert from_bytes([], 4).shape == (0, 4)


def test_a_blob_of_the_wrong_length_is_an_error_that_says_both() -> None:
    with pytest.raises(ValueError, match="16 or 8 bytes, found 5"):
        from_bytes([b"12345"], 4)


def test_only_one_row_at_a_time_becomes_bytes() -> None:
    with pytest.raises(ValueError, match="one"):
        to_bytes(np.ones((2, 2), np.float32))
