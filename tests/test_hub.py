"""The table of names, the way to the hub and what is said where there is none."""

import hashlib
import http.server
import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

import cn_clip.clip
import open_clip
import pytest

import imgsearch.encoders as encoders
from imgsearch.encoders import cn_clip as chinese
from imgsearch.encoders import families
from imgsearch.encoders import open_clip as adapter
from imgsearch.errors import UsageError
from imgsearch.weights.filling import file_hash

REPO = Path(__file__).parent.parent


def test_every_name_in_the_table_agrees_with_the_packages() -> None:
    for name, entry in families.PUBLISHED.items():
        family, architecture, *tag = name.split("/")
        if family == "cn_clip":
            repo, file = cn_clip.clip.utils._MODELS[architecture]
            assert (entry.repo, list(entry.files)) == (f"OFA-Sys/{repo}", [file])
            assert entry.dim == chinese.published_config(architecture)["embed_dim"]
            continue
        config = open_clip.get_model_config(architecture)
        assert entry.dim == config["embed_dim"]
        assert entry.languages == adapter.languages_of(config)
        assert entry.needs_transformers == ("hf_model_name" in config["text_cfg"])
        published = open_clip.get_pretrained_cfg(architecture, tag[0])
        assert published["hf_hub"] == f"{entry.repo}/", name
    listed = {name for name in families.PUBLISHED if name.endswith("/openai")}
    assert listed == {
        f"open_clip/{name}/openai"
        for name in open_clip.list_openai_models()
        if not name.endswith("-quickgelu")
    }
    assert {name for name in families.PUBLISHED if name.startswith("cn_clip/")} == {
        f"cn_clip/{name}" for name in chinese.ARCHITECTURES
    }
    assert set(encoders.DEFAULT.values()) < set(families.PUBLISHED)


@pytest.mark.skipif(
    importlib.util.find_spec("transformers") is not None, reason="nothing is missing here"
)
def test_the_missing_package_of_a_multilingual_tower_is_named_before_any_download() -> None:
    for name in ("xlm-roberta-base-ViT-B-32/laion5b_s13b_b90k", "ViT-B-16-SigLIP2/webli"):
        with pytest.raises(UsageError, match=r'pip install "imgsearch\[xlm\]"'):
            encoders.load(f"open_clip/{name}", device="cpu")


def run_python(code: str, **environment: str) -> tuple[str, float]:
    """What a fresh interpreter prints with these variables set, and how long it took in seconds."""
    started = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPO), **environment},
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout, time.monotonic() - started


def test_importing_and_listing_encoders_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, imgsearch.encoders as e; rows = e.known();"
        "print(len(rows), any(r.is_cached for r in rows if r.name[0] != 'b'));"
        "print([m for m in ('torch', 'open_clip', 'cn_clip') if m in sys.modules])"
    )
    output, _ = run_python(code, HF_HOME=str(tmp_path))
    counted, loaded = output.splitlines()
    assert counted.endswith("False")
    assert int(counted.split()[0]) >= len(families.PUBLISHED)
    assert loaded == "[]"


LOAD = """
import sys, time, imgsearch.encoders as e
from imgsearch.errors import DownloadError
started = time.monotonic()
try:
    e.load("cn_clip/ViT-B-16")
except DownloadError as error:
    print(time.monotonic() - started)
    print(error)
"""


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE is set"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be reached"),
    ],
)
def test_offline_fails_within_seconds_and_says_which_file_goes_where(
    environment: dict[str, str], reason: str, tmp_path: Path
) -> None:
    output, _ = run_python(LOAD, HF_HOME=str(tmp_path), NO_PROXY="*", **environment)
    seconds, message = output.split("\n", 1)
    assert float(seconds) < 8
    assert reason in message
    endpoint = environment.get("HF_ENDPOINT", "https://huggingface.co")
    assert (
        f"{endpoint}/OFA-Sys/chinese-clip-vit-base-patch16/resolve/main/clip_cn_vit-b-16.pt"
        in message
    )
    assert "imgsearch index --encoder cn_clip/ViT-B-16//path/to/clip_cn_vit-b-16.pt" in message
    assert str(tmp_path) in message


FETCH_FOLDER = """
from imgsearch.weights import hub
from imgsearch.errors import DownloadError
try:
    print(hub.fetch_folder("us/text-tower", "tokenizer_config.json"))
except DownloadError as error:
    print(error)
"""


def test_offline_a_text_towers_own_files_are_asked_for_in_the_cache_where_they_are_looked_for(
    tmp_path: Path,
) -> None:
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    message, _ = run_python(FETCH_FOLDER, **environment)
    assert "tokenizer_config.json of us/text-tower is not on this machine" in message
    assert '--include "*.json" --include "*.model" --include "*.txt"' in message
    assert "hf download us/text-tower" in message
    assert f"models--us--text-tower of that machine's Hugging Face cache into {tmp_path}" in message
    assert "--encoder" not in message  # no value of it takes these files
    copied = tmp_path / "hub" / "models--us--text-tower"
    (copied / "refs").mkdir(parents=True)
    (copied / "refs" / "main").write_text("abc")
    (copied / "snapshots" / "abc").mkdir(parents=True)
    (copied / "snapshots" / "abc" / "tokenizer_config.json").write_text("{}")
    found, _ = run_python(FETCH_FOLDER, **environment)
    assert Path(found.strip()) == copied / "snapshots" / "abc"


CACHED = """
import imgsearch.encoders as e
from imgsearch.weights import hub
entry = e.families.PUBLISHED["cn_clip/ViT-B-16"]
print(hub.fetch(entry.repo, entry.files, use="PATH"))
print([row.name for row in e.known() if row.is_cached and row.name[0] != "b"])
"""


def test_cached_weights_are_found_without_any_network(tmp_path: Path) -> None:
    repo = tmp_path / "hub" / "models--OFA-Sys--chinese-clip-vit-base-patch16"
    snapshot = repo / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("abc")
    (snapshot / "clip_cn_vit-b-16.pt").write_bytes(b"weights")
    output, _ = run_python(CACHED, HF_HOME=str(tmp_path), HF_ENDPOINT="http://127.0.0.1:9")
    path, names = output.splitlines()
    assert Path(path) == snapshot / "clip_cn_vit-b-16.pt"
    assert names == "['cn_clip/ViT-B-16']"


FETCH = """
import sys
from imgsearch.weights import hub
files = ["open_clip_model.safetensors", "weights.bin"]
print(hub.fetch("us/toy", files, use="index --encoder open_clip/X/PATH FOLDER"))
"""


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of a Hugging Face hub as one download needs: a repository that holds
    `weights.bin`."""

    requests: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.requests.append(f"{self.command} {self.path}")
        if self.path.endswith("/weights.bin"):
            self.send_response(200)
            self.send_header("X-Repo-Commit", "c" * 40)
            self.send_header("ETag", '"' + hashlib.sha256(b"weights").hexdigest() + '"')
            self.send_header("Content-Length", "7")
        elif "/resolve/" in self.path:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
        else:
            self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(b"weights")

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_download_takes_the_first_file_there_is_and_the_next_one_asks_nobody(
    tmp_path: Path,
) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            "HF_HOME": str(tmp_path),
            "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "*",
        }
        output, _ = run_python(FETCH, **environment)
        asked = list(Hub.requests)
        again, _ = run_python(FETCH, **environment)
        server.shutdown()
    path = Path(output.strip())
    assert path.read_bytes() == b"weights"
    assert path.is_relative_to(tmp_path)
    assert again == output
    assert asked == Hub.requests
    assert asked[-1] == "GET /us/toy/resolve/main/weights.bin"
    assert file_hash(path) == hashlib.sha256(b"weights").hexdigest()
