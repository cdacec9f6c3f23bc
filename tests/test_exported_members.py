"""What `import imgsearch` offers is what `__all__` says, and all of it exists."""

import pytest

import imgsearch


@pytest.mark.parametrize("name", imgsearch.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(imgsearch, name) is not None


def test_all_is_sorted_and_complete() -> None:
    names = sorted(imgsearch.__all__, key=lambda name: (not name.isupper(), name))
    assert names == imgsearch.__all__
    assert set(imgsearch.__all__) == {*imgsearch._WHERE, "__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        imgsearch.serach  # type: ignore[attr-defined]  # noqa: B018
