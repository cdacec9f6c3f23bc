"""Pictures by their address, from a real server on this machine, and addresses never asked."""

import http.server
import io
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from conftest import ColourEncoder
from imgsearch.errors import PictureError, QueryError
from imgsearch.images import decode
from imgsearch.indexing import index
from imgsearch.library import Library, open_library
from imgsearch.queries import Address, Query, Term, Words
from imgsearch.searching import Manner, search
from imgsearch.searching.addresses import Numeric, fetch, fetched, is_public
from imgsearch.searching.explaining import explain
from imgsearch.searching.question import Question

LOOPBACK = ipaddress.ip_address("127.0.0.1")


def picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(content, "PNG")
    return content.getvalue()


class Answers(http.server.BaseHTTPRequestHandler):
    """What is asked for by path; `asked` is what was."""

    asked: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        self.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        kind, _, rest = self.path.strip("/").partition("/")
        getattr(self, f"answer_{kind.split('?')[0].split('%')[0]}")(rest)

    def answer_picture(self, _: str) -> None:
        self.whole(picture())

    def answer_text(self, _: str) -> None:
        self.whole(b"<html>", "image/png")

    def answer_large(self, size: str) -> None:
        self.whole(bytes(int(size)))

    def answer_endless(self, _: str) -> None:
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(bytes(1 << 16))

    def answer_drip(self, _: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(100):
            self.wfile.write(b"X-Still: here\r\n")
            time.sleep(0.1)

    def answer_silence(self, _: str) -> None:
        time.sleep(3)

    def answer_garbage(self, _: str) -> None:
        self.wfile.write(b"\0\1\2 nothing of HTTP\r\n\r\n")

    def answer_missing(self, _: str) -> None:
        self.send_error(404)

    def answer_to(self, place: str) -> None:
        self.send_response(302)
        self.send_header("Location", place)
        self.end_headers()

    def answer_nowhere(self, _: str) -> None:
        self.answer_to("http://[::1")

    def answer_loop(self, count: str) -> None:
        self.answer_to(f"/loop/{int(count) - 1}" if count != "0" else "/picture")

    def whole(self, content: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked has hung up, which is what these tests are about."""


@pytest.fixture
def server() -> Iterator[str]:
    Answers.asked = []
    with QuietServer(("127.0.0.1", 0), Answers) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def is_here(address: Numeric) -> bool:
    return address == LOOPBACK


def local(url: str, max_bytes: int = 10_000, seconds: float = 20) -> bytes:
    return fetch(url, max_bytes=max_bytes, seconds=seconds, may_reach=is_here)


# What is fetched


def test_a_picture_is_fetched_and_nothing_is_said_of_who_asks(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")  # nobody listens there
    assert local(f"{server}/picture/猫 1.png?a=b c&d=%20#part") == picture()
    ((path, headers),) = Answers.asked
    assert path == "/picture/%E7%8C%AB%201.png?a=b%20c&d=%20"
    assert headers == {
        "host": server.removeprefix("http://"),
        "user-agent": "imgsearch",
        "accept": "image/*",
        "accept-encoding": "identity",
        "connection": "close",
    }


def test_a_name_is_resolved_and_still_sent_as_the_host(server: str) -> None:
    port = server.rsplit(":", 1)[1]
    assert local(f"http://localhost:{port}/picture") == picture()
    assert Answers.asked[0][1]["host"] == f"localhost:{port}"


def test_redirects_are_followed_a_few_times(server: str) -> None:
    assert local(f"{server}/loop/3") == picture()
    assert local(f"{server}/to/{server}/picture") == picture()
    with pytest.raises(QueryError, match="leads on more than 5 times"):
        local(f"{server}/loop/6")


def test_size_is_bounded_whether_it_is_told_or_not(server: str) -> None:
    assert len(local(f"{server}/large/10000")) == 10_000
    for path in ("large/10001", "endless"):
        with pytest.raises(QueryError, match="more than 10,000 bytes"):
            local(f"{server}/{path}")


@pytest.mark.parametrize("path", ["drip", "silence"])
def test_time_is_bounded_however_slowly_a_server_answers(server: str, path: str) -> None:
    with pytest.raises(QueryError, match=r"in time \(0\.5 seconds"):
        local(f"{server}/{path}", seconds=0.5)


@pytest.mark.parametrize(
    ("path", "message"),
    [("missing", "404"), ("garbage", "HTTP"), ("to/ftp://127.0.0.1/x", "only http and https")],
)
def test_an_answer_that_is_no_picture_says_what_it_is(server: str, path: str, message: str) -> None:
    with pytest.raises(QueryError, match=f"{path} cannot be fetched: .*{message}"):
        local(f"{server}/{path}")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://example.org/a.png", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("http://", "names no host"),
        ("http://user:secret@example.org/", "password"),
        ("http://@example.org/", "password"),
        ("http://example.org:99999/", "[Pp]ort"),
        ("http://[::1/", "IPv6"),
        ("http://a..b/", "label"),
        ("http://" + "x" * 70 + ".invalid/", "label"),
        ("http://\ud800.invalid/", "cannot be fetched"),
        ("http://127.0.0.1/\ud800", "cannot be fetched"),
    ],
)
def test_an_address_that_cannot_be_asked_is_an_error(url: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        fetch(url, seconds=5)


def test_a_server_that_speaks_no_tls_is_not_trusted(server: str) -> None:
    with pytest.raises(QueryError, match="cannot be trusted"):
        local(server.replace("http:", "https:") + "/picture")


@pytest.mark.skipif(not shutil.which("openssl"), reason="a certificate is made with openssl")
def test_over_https_a_certificate_must_be_trusted_and_of_that_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        f" -keyout {key} -out {certificate}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    Answers.asked = []
    with QuietServer(("127.0.0.1", 0), Answers) as running:
        running.socket = context.wrap_socket(running.socket, server_side=True)
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            with pytest.raises(QueryError, match="cannot be trusted"):
                local(f"https://localhost:{running.server_port}/picture")
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            with pytest.raises(QueryError, match="cannot be trusted"):
                local(f"https://127.0.0.1:{running.server_port}/picture")
            assert local(f"https://localhost:{running.server_port}/picture") == picture()
        finally:
            running.shutdown()
            thread.join()
    ((_, headers),) = Answers.asked
    assert headers["host"] == f"localhost:{running.server_port}"


def test_a_closed_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(QueryError, match="cannot be fetched"):
            local(f"http://127.0.0.1:{port}/")


# What is never asked


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_this_machine_is_not_asked_under_any_name(server: str, host: str) -> None:
    port = server.rsplit(":", 1)[1]
    with pytest.raises(QueryError, match="cannot be fetched"):
        fetch(f"http://{host}:{port}/picture")
    assert Answers.asked == []


def test_what_a_name_stands_for_is_said() -> None:
    with pytest.raises(QueryError, match=r": 127\.1 is 127\.0\.0\.1, which is no address of"):
        fetch("http://127.1/picture")


def test_a_redirect_is_checked_anew(server: str) -> None:
    with pytest.raises(QueryError, match=r": 169\.254\.169\.254 is no address of the open"):
        local(f"{server}/to/http://169.254.169.254/latest/meta-data")
    with pytest.raises(QueryError, match="password"):
        local(f"{server}/to/http://a:b@127.0.0.1/")


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "192.0.0.8",
        "192.88.99.1",
        "3fff::1",
        "2001:db8::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2002:7f00:1::1",
        "2002:c0a8:101::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_of_the_open_internet_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "93.184.216.34",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ],
)
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


# In a query


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[Library]:
    with open_library(tmp_path / "library") as opened:
        list(index(opened, [photos], encoder=ColourEncoder()))
        yield opened


def test_a_redirect_to_what_is_no_address_is_said(server: str) -> None:
    with pytest.raises(QueryError, match="cannot be fetched: Invalid IPv6"):
        local(f"{server}/nowhere")


def test_a_query_never_reaches_this_machine(library: Library, server: str) -> None:
    query = Query((Term(Address(f"{server}/picture")),))
    with pytest.raises(QueryError, match="no address of the open internet"):
        Question(library, query, None, ColourEncoder()).vector("auto")
    assert Answers.asked == []


def test_what_was_fetched_once_is_not_asked_for_again(library: Library, server: str) -> None:
    asked = Query((Term(Address(f"{server}/picture")), Term(Words("green"), 0.5)))
    query, manner = fetched(asked, may_reach=is_here), Manner(encoder=ColourEncoder())
    hits = search(library, query, encoder=manner.encoder)
    (best, *_) = explain(library, query, hits, manner)
    assert best.path.name == "red.png" and best.explanation is not None
    assert best.explanation.parts[0][0] == f"{server}/picture"
    assert len(Answers.asked) == 1


def test_what_a_server_calls_a_picture_is_judged_by_its_content(server: str) -> None:
    with pytest.raises(PictureError, match="not a picture"):
        decode(local(f"{server}/text"))
    assert decode(local(f"{server}/picture")).size == (8, 6)
