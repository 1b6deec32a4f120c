"""A download is all of the file or nothing, whatever the server, the disk or a kill does."""

import errno
import hashlib
import http.server
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineage_lab.weights import download as downloads
from lineage_lab.weights.download import download

CONTENT = bytes(range(256)) * 20_000  # 5 MB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Answers by the path: see `Handler`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.go_on = threading.Event()

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{behaviour}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        behaviour = self.path.strip("/")
        self.server.asked.append(behaviour)
        if behaviour == "moved":
            self.send_response(302)
            self.send_header("Location", self.server.url("whole"))
            self.end_headers()
            return
        if behaviour == "gone":
            self.send_error(404)
            return
        if behaviour == "no-http":
            self.wfile.write(b"what do you want?\r\n\r\n")
            return
        body = b"<html>Sign in first</html>" if behaviour == "error-page" else CONTENT
        lengths = {"too-long": len(body) + 1, "too-short": len(body) - 1, "no-number": "many"}
        self.send_response(200)
        if behaviour != "no-length":
            self.send_header("Content-Length", str(lengths.get(behaviour, len(body))))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        if behaviour == "cut":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if behaviour == "slow":
            self.wfile.flush()
            self.server.go_on.wait(60)
        self.wfile.write(body[half:])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield httpd
        httpd.go_on.set()
        httpd.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "weights.pth"


def left(path: Path) -> list[str]:
    """What lies in the folder besides the empty lock."""
    return sorted(p.name for p in path.parent.iterdir() if p.suffix != ".lock")


@pytest.mark.parametrize("behaviour", ["whole", "moved", "no-length", "no-number"])
def test_what_comes_whole_is_kept(server: Server, path: Path, behaviour: str) -> None:
    download(server.url(behaviour), path, SHA256)
    assert path.read_bytes() == CONTENT
    assert left(path) == [path.name]


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("gone", "HTTP status 404, Not Found"),
        ("error-page", "another file: 26 bytes with SHA-256"),
        ("cut", "the connection broke after 2,560,000 of 5,120,000 bytes"),
        ("too-long", "broke after 5,120,000 of 5,120,001"),
        ("too-short", "another file: 5,119,999 bytes"),
        ("no-http", "no HTTP, or broke: BadStatusLine"),
    ],
)
def test_what_does_not_leaves_nothing_and_the_next_try_starts_anew(
    server: Server, path: Path, behaviour: str, said: str
) -> None:
    with pytest.raises(OSError, match=said):
        download(server.url(behaviour), path, SHA256)
    assert left(path) == []
    download(server.url("whole"), path, SHA256)
    assert path.read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_said_in_plain_words(path: Path) -> None:
    with pytest.raises(OSError, match=r"refused"):
        download("http://127.0.0.1:9/weights.pth", path, SHA256)
    assert left(path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_leaves_nothing(
    server: Server, path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(handle: int) -> None:
        raise OSError(number, "the disk is full or broken")

    monkeypatch.setattr(downloads.os, "fsync", full)
    with pytest.raises(OSError, match="full or broken"):
        download(server.url("whole"), path, SHA256)
    assert left(path) == []


def test_a_really_full_disk_leaves_nothing(server: Server, tmp_path: Path) -> None:
    """A file system of 1 MB, where this process may mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system can be mounted here: the injected errors stand for it")
    try:
        with pytest.raises(OSError, match="No space left"):
            download(server.url("whole"), small / "weights.pth", SHA256)
        assert left(small / "weights.pth") == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


SCRIPT = """
import sys
from pathlib import Path
from lineage_lab.weights.download import download
download(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
"""


def start(url: str, path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, url, str(path), SHA256])


def wait_for(happened, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def test_a_killed_download_is_begun_anew_and_its_half_is_cleaned_up(
    server: Server, path: Path
) -> None:
    process = start(server.url("slow"), path)
    partial = path.with_name(f".{path.name}.partial")
    wait_for(lambda: partial.exists() and partial.stat().st_size > 0)
    process.kill()
    process.wait()
    assert left(path) == [partial.name]
    download(server.url("whole"), path, SHA256)
    assert path.read_bytes() == CONTENT
    assert left(path) == [path.name]


def test_two_processes_bring_a_file_once(server: Server, path: Path) -> None:
    first = start(server.url("slow"), path)
    wait_for(lambda: server.asked == ["slow"])
    second = start(server.url("slow"), path)
    time.sleep(1)  # the second one reaches the lock, and waits
    server.go_on.set()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert path.read_bytes() == CONTENT
    assert left(path) == [path.name]
    assert server.asked == ["slow"]


def test_when_the_first_process_fails_the_second_brings_the_file(
    server: Server, path: Path
) -> None:
    first = start(server.url("slow"), path)
    wait_for(lambda: server.asked == ["slow"])
    second = start(server.url("whole"), path)
    time.sleep(0.5)
    first.kill()
    assert first.wait() != 0
    assert second.wait(60) == 0
    assert path.read_bytes() == CONTENT
    assert left(path) == [path.name]
