"""Two nodes of Ray on this machine, one of which is lost; a driver that is killed; S3."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from cluster_jobs import (
    journal_objects,
    recorded_units,
    stored_hashes,
    upload,
    write_pictures,
)
from subpixel.jobs.cluster.ray_pool import LOOPBACK_SWITCH
from subpixel.jobs.cluster.store import FolderStore
from subpixel.jobs.journal.journal import JOURNAL_FOLDER
from subpixel.jobs.options import JobOptions
from subpixel.jobs.outputs import Naming, plan_jobs
from subpixel.jobs.pictures import PictureFiles, upscale_files
from subpixel.upscaling.upscaler import Upscaler

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

COUNT = 30
SIDE = 150
"""A picture takes some tenths of a second."""

WAIT_SECONDS = 240
MAIN = "from subpixel.cli.main import main; main()"
NETWORK = ("--model", "balanced", "--scale", "2", "--device", "cpu")


class Nodes:
    """A cluster with a head that does no work, and two nodes of one core."""

    def __init__(self) -> None:
        pytest.importorskip("ray", reason="needs the extra ray")
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "include_dashboard": False,
                "node_ip_address": "127.0.0.1",
                "object_store_memory": 80 << 20,
            },
        )
        self._nodes: list[Any] = []
        self.address = self._cluster.address

    def fill(self) -> None:
        """Two nodes, whatever became of those before."""
        while len(self._nodes) < 2:
            node = self._cluster.add_node(
                num_cpus=1, object_store_memory=80 << 20, node_ip_address="127.0.0.1"
            )
            self._nodes.append(node)

    def lose(self) -> None:
        """One goes, at once."""
        self._cluster.remove_node(self._nodes.pop(), allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """Where moto's S3 listens; the environment of all processes leads there."""
    pytest.importorskip("moto", reason="needs moto[server] on PYTHONPATH")
    pytest.importorskip("s3fs", reason="needs s3fs on PYTHONPATH: constraints.txt has none")
    port = _find_port()
    server = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait_for_port(port)
    yield f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()


def _find_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise AssertionError("the S3 server doesn't listen")


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv(LOOPBACK_SWITCH, "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        try:
            url = request.getfixturevalue("s3_url")
        except pytest.skip.Exception:
            url = "http://127.0.0.1:9"
        for name, value in {
            "FSSPEC_S3_ENDPOINT_URL": url,
            "FSSPEC_S3_KEY": "key",
            "FSSPEC_S3_SECRET": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        nodes = Nodes()
        yield nodes
        nodes.close()


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    cluster.fill()
    return cluster


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder, COUNT, SIDE)
    return folder


@pytest.fixture(scope="session")
def hashes(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of the results of one process without a cluster."""
    target = tmp_path_factory.mktemp("alone")
    upscaler = Upscaler("balanced", scale=2, device="cpu", threads=1, tuning=False)
    jobs = plan_jobs([pictures], Naming(target)).jobs
    assert not any(r.error for r in upscale_files(upscaler, jobs, PictureFiles(), JobOptions()))
    return stored_hashes(FolderStore(target))


def _start(source: str, target: str, nodes: Nodes) -> "subprocess.Popen[str]":
    line = ["upscale", source, "-o", target, *NETWORK, "--engine", "ray", "--json"]
    command = [sys.executable, "-c", MAIN, *line, "--address", nodes.address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _end(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=WAIT_SECONDS)  # stdout is JSON alone
    assert process.returncode == 0, err
    return json.loads(out)


def _wait_for_results(target: Path, count: int, process: "subprocess.Popen[str]") -> None:
    end = time.monotonic() + WAIT_SECONDS
    while len(list(target.glob("part*/*.png"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_lost_node_has_its_pictures_done_by_the_other(
    nodes: Nodes, pictures: Path, tmp_path: Path, hashes: dict[str, str]
) -> None:
    process = _start(str(pictures), str(tmp_path / "out"), nodes)
    _wait_for_results(tmp_path / "out", 6, process)
    nodes.lose()
    facts = _end(process)
    assert (facts["written"], facts["failed"], facts["deaths"]) == (COUNT, 0, 1)
    target = FolderStore(tmp_path / "out")
    assert stored_hashes(target) == hashes
    # what the lost actor was at may have had its record, but not its name
    assert len(recorded_units(target)) - COUNT in (0, 1)


def test_killed_driver_goes_on_where_it_was(
    nodes: Nodes, pictures: Path, tmp_path: Path, hashes: dict[str, str]
) -> None:
    process = _start(str(pictures), str(tmp_path / "out"), nodes)
    _wait_for_results(tmp_path / "out", 6, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    facts = _end(_start(str(pictures), str(tmp_path / "out"), nodes))
    done = facts["resumed"]["done"]
    assert done >= 6
    assert done + facts["written"] + facts["settled"] == COUNT
    target = FolderStore(tmp_path / "out")
    assert stored_hashes(target) == hashes
    assert len(recorded_units(target)) - COUNT in range(3)  # both actors' last moments


@pytest.mark.usefixtures("s3_url")
def test_s3_to_s3_and_again(
    nodes: Nodes,
    pictures: Path,
    hashes: dict[str, str],
) -> None:
    import fsspec
    from fsspec.config import conf, set_conf_env

    from subpixel.jobs.cluster.url_store import UrlStore

    set_conf_env(conf)
    fsspec.filesystem("s3").mkdir("bucket")
    source, target = UrlStore.open("s3://bucket/in"), UrlStore.open("s3://bucket/out")
    upload(pictures, source)
    facts = _end(_start(source.url, target.url, nodes))
    assert (facts["written"], facts["failed"]) == (COUNT, 0)
    assert stored_hashes(target) == hashes
    names = journal_objects(target)
    assert not any("unit" in name for name in names)
    assert len(recorded_units(target)) == COUNT
    target.remove(["part0/p4.png"])
    again = _end(_start(source.url, target.url, nodes))
    assert (again["resumed"]["done"], again["written"]) == (COUNT - 1, 1)
    assert stored_hashes(target) == hashes
    assert target.list_names(JOURNAL_FOLDER)
