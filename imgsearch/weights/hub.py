"""Weights files from a Hugging Face hub: from its cache if they are there, else over the network.

In: a repository and the file names that would do, best first. Out: a path on this disk. What is
cached is found without a network call. A hub that cannot be reached is noticed by one short probe,
because the client behind it retries for 23 seconds a file before it gives up; then the error says
which file to fetch elsewhere, where to put it and what to type. HF_HOME, HF_ENDPOINT,
HF_HUB_OFFLINE and proxies are the client's own and stay in force.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from imgsearch.errors import DownloadError

PROBE_SECONDS = 5.0
TEXT_TOWER_FILES = ("*.json", "*.model", "*.txt")  # a configuration and a tokenizer, no weights


def cached(repo: str, files: Sequence[str]) -> Path | None:
    """The first of the files that the cache already holds, or None. Never touches the network."""
    from huggingface_hub import try_to_load_from_cache

    for name in files:
        found = try_to_load_from_cache(repo, name)
        if isinstance(found, str) and Path(found).is_file():
            return Path(found)
    return None


def fetch(repo: str, files: Sequence[str], *, use: str) -> Path:
    """The first of the files that the cache or the hub has; a download draws a bar on stderr.

    `use` is the command that takes a file fetched by hand, with PATH in the place of the file.
    Raises DownloadError within seconds where there is no way to the hub.
    """
    found = cached(repo, files)
    if found is not None:
        return found
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    advice = _by_hand(repo, files, use)
    _check_reachable(repo, files[0], advice)
    for name in files:
        try:
            return Path(hf_hub_download(repo, name))
        except LocalEntryNotFoundError as error:  # the network went away: not a missing file
            raise _failed(repo, files[0], _first_line(error), advice) from error
        except EntryNotFoundError:
            continue
        except (
            Exception
        ) as error:  # whatever went wrong (disk, gate, proxy), the person must be told the file
            raise _failed(repo, files[0], _first_line(error), advice) from error
    raise _failed(repo, files[0], f"the repository has no {' or '.join(files)}", advice)


def fetch_folder(repo: str, required: str) -> Path:
    """A folder with the configuration and the tokenizer of a text tower; `required` is one of its
    files.

    No command takes these by hand, only the cache does. Raises DownloadError as `fetch`.
    """
    found = cached(repo, [required])
    if found is not None:
        return found.parent
    from huggingface_hub import snapshot_download

    advice = _by_copy(repo)
    _check_reachable(repo, required, advice)
    try:
        return Path(snapshot_download(repo, allow_patterns=list(TEXT_TOWER_FILES)))
    except Exception as error:  # as in fetch: any failure ends in the same advice
        raise _failed(repo, required, _first_line(error), advice) from error


def _check_reachable(repo: str, file: str, advice: str) -> None:
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        raise _failed(repo, file, "HF_HUB_OFFLINE is set", advice)
    url = f"{constants.ENDPOINT}/{repo}"
    error = _within(PROBE_SECONDS, lambda: get_session().head(url, timeout=PROBE_SECONDS))
    if error is not None:
        reason = f"{constants.ENDPOINT} cannot be reached ({_first_line(error)})"
        raise _failed(repo, file, reason, advice) from error


def _within(seconds: float, call: Callable[[], object]) -> Exception | None:
    """The call's error, or None. In a thread, because a name lookup heeds no timeout."""
    failure: list[Exception] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # carried to the caller's thread, not swallowed
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds + 1)
    if thread.is_alive():
        return TimeoutError(f"no answer within {seconds:.0f} seconds")
    return failure[0] if failure else None


def _failed(repo: str, file: str, reason: str, advice: str) -> DownloadError:
    return DownloadError(
        f"{file} of {repo} is not on this machine and was not downloaded: {reason}. {advice}"
    )


def _by_hand(repo: str, files: Sequence[str], use: str) -> str:
    from huggingface_hub import constants, hf_hub_url

    command = use.replace("PATH", f"/path/to/{files[0]}")
    return (
        f"Fetch {hf_hub_url(repo, files[0])} where there is a network, put it anywhere on this "
        f"machine, and run: imgsearch {command} "
        f"(or copy another machine's Hugging Face cache to {constants.HF_HUB_CACHE})"
    )


def _by_copy(repo: str) -> str:
    from huggingface_hub import constants

    patterns = " ".join(f'--include "{pattern}"' for pattern in TEXT_TOWER_FILES)
    return (
        f"Where there is a network run: hf download {repo} {patterns}, "
        f"copy the folder models--{repo.replace('/', '--')} of that machine's Hugging Face cache "
        f"into {constants.HF_HUB_CACHE}, and repeat this command"
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")
