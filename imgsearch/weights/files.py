"""Reading a weights file of unknown origin as data: what container it is, which tensors it holds.

In: a path, whatever its ending. Out: a flat dict of tensors. A file is told by its bytes, never by
its name, and nothing in it may run: pickles are read `weights_only`, and a TorchScript archive,
which is a program, is opened only when it is one of the nine that OpenAI published.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from imgsearch.errors import UsageError
from imgsearch.weights.filling import file_hash

Container = Literal["safetensors", "torchscript", "torch", "pickle"]
State = dict[str, torch.Tensor]

OPENAI_ARCHIVES = {  # SHA-256 of the published TorchScript file -> its architecture
    "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762": "RN50",
    "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599": "RN101",
    "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd": "RN50x4",
    "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa": "RN50x16",
    "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c": "RN50x64",
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af": "ViT-B-32",
    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f": "ViT-B-16",
    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836": "ViT-L-14",
    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02": "ViT-L-14-336",
}


def container_of(path: Path) -> Container:
    """Which of the four containers the file is, by its first bytes and its directory.

    Raises UsageError where it is none of them, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(9)
        if zipfile.is_zipfile(path):
            return _zip_container(path)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UsageError(
            f"{path} cannot be read as weights ({error}); fetch or save it again"
        ) from error
    header_bytes = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and 1 < header_bytes <= path.stat().st_size - 8:
        return "safetensors"
    if head[:1] == b"\x80":
        return "pickle"
    raise UsageError(
        f"{path} is no weights file: expected safetensors, or what torch.save writes; "
        f"it begins with {head[:8]!r}"
    )


def _zip_container(path: Path) -> Container:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names) and any(
        "/code/" in name for name in names
    ):
        return "torchscript"
    if any(name.endswith("data.pkl") for name in names):
        return "torch"
    raise UsageError(f"{path} is a zip archive without weights in it; unpack it and name the file")


def read_tensors(path: Path) -> tuple[State, Container]:
    """The tensors in the file, taken out of what training wrapped around them, and its container.

    Raises UsageError for a file that is damaged, or that holds more than tensors.
    """
    container = container_of(path)
    if container == "torchscript":
        loaded: Any = _read_torchscript(path)
    elif container == "safetensors":
        loaded = _read_safetensors(path)
    else:
        loaded = _read_torch(path)
    return _flatten(loaded, path), container


def _read_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UsageError(
            f"{path} is a damaged safetensors file ({error}); fetch or save it again"
        ) from error


def _read_torch(path: Path) -> Any:
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path} holds Python objects beside its weights, which could run code; save the "
            "state_dict alone (torch.save(model.state_dict(), ...)) or as safetensors"
        ) from error
    except Exception as error:  # unpicklers meet garbage in a hundred ways: IndexError, assert ...
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(
            f"{path} is a damaged weights file ({reason}); fetch or save it again"
        ) from error


def _read_torchscript(path: Path) -> State:
    found = file_hash(path)
    if found not in OPENAI_ARCHIVES:
        raise UsageError(
            f"{path} is a TorchScript archive, which is a program; only the nine that "
            f"OpenAI published are opened, and its SHA-256 {found[:12]}… is none of theirs. Save "
            "its state_dict as safetensors"
        )
    load: Any = torch.jit.load  # untyped in torch
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # torch deprecates a format that OpenAI's files are in for ever
        return dict(load(str(path), map_location="cpu").state_dict())


def _flatten(loaded: Any, path: Path) -> State:
    """The dict of tensors inside what was saved: training wrappers and name prefixes taken off."""
    while isinstance(loaded, Mapping):
        inner = next(
            (
                loaded[key]
                for key in ("state_dict", "model_state_dict", "model")
                if isinstance(loaded.get(key), Mapping)
            ),
            None,
        )
        if inner is None:
            break
        loaded = inner
    if not isinstance(loaded, Mapping):
        raise UsageError(f"{path} holds a {type(loaded).__name__}, not a dict of weights")
    state = {str(name): value for name, value in loaded.items() if torch.is_tensor(value)}
    if not state:
        raise UsageError(
            f"{path} holds no tensors; its keys are {', '.join(map(str, loaded)) or 'none'}"
        )
    for prefix in ("module.", "_orig_mod.", "module."):  # either may be outermost
        if all(name.startswith(prefix) for name in state):
            state = {name[len(prefix) :]: value for name, value in state.items()}
    return state
