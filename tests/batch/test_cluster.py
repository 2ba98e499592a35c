"""A batch on a real Dask cluster of two worker processes."""

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import distributed
import pytest
import tifffile
from typer.testing import CliRunner

from drawing import TINY_CANVASES, draw_round_angiogram
from napari_npa.batch import BatchOptions, dask_client, find_images, run_batch
from napari_npa.batch import cluster as on_cluster
from napari_npa.batch.run import run_on
from napari_npa.cli.main import app
from napari_npa.errors import BatchError
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import save_model
from napari_npa.results.table import rows_of

# Worker processes take seconds to start.
pytestmark = pytest.mark.slow

IMAGES = 12


@pytest.fixture(scope="module")
def dask_cluster():
    """Scheduler in this process, two workers in processes of their own."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def options(tiny_model):
    return BatchOptions(model=str(tiny_model))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve angiograms, one of them cut off, two of one stem in a subfolder."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "late").mkdir()
    for number in range(IMAGES - 3):
        tifffile.imwrite(folder / f"eye{number:02}.tif", draw_round_angiogram(160, number))
    tifffile.imwrite(folder / "late" / "eye.tif", draw_round_angiogram(160, 98))
    tifffile.imwrite(folder / "late" / "eye.TIFF", draw_round_angiogram(160, 99))
    (folder / "cut_off.tif").write_bytes((folder / "eye00.tif").read_bytes()[:300])
    return folder


@pytest.fixture(scope="module")
def local(folder, options, tmp_path_factory):
    """Results of a run without a cluster."""
    out = tmp_path_factory.mktemp("local")
    run_batch(folder, out, options, device="cpu", workers=1, recursive=True)
    return out


def run(cluster, folder, out, options, **settings):
    found = find_images(folder, out, recursive=True)
    with on_cluster.cluster_workers(cluster.scheduler_address, options, "cpu") as workers:
        return run_on(workers, found, folder, out, options, **settings)


def files(out):
    """Content of all files of a result, but for times and the manifest of the run."""
    contents = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.is_dir() or name == "run.json":
            continue
        if path.suffix == ".csv":
            contents[name] = [replace(row, seconds=None) for row in rows_of(path.read_bytes())]
        elif path.suffix == ".json":
            record = json.loads(path.read_text())
            contents[name] = {**record, "seconds": None, "created": None}
        else:
            contents[name] = path.read_bytes()
    return contents


def statuses(out):
    return [row.status for row in rows_of((out / "ischemia.csv").read_bytes())]


def tasks_left(cluster):
    """Tasks that the scheduler still knows, after a moment to forget them."""
    for _ in range(50):
        if not cluster.scheduler.tasks:
            break
        time.sleep(0.1)
    return list(cluster.scheduler.tasks)


def worker_ids(cluster):
    with distributed.Client(cluster, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


def test_cluster_writes_what_one_machine_writes(dask_cluster, folder, options, local, tmp_path):
    report = run(dask_cluster, folder, tmp_path, options)
    assert files(tmp_path) == files(local)
    assert len(report.rows) == IMAGES
    assert statuses(tmp_path).count("failed") == 1  # the image that is cut off
    manifest = json.loads((tmp_path / "run.json").read_text())
    assert manifest["status"] == "finished"
    assert len(manifest["devices"]) == 2
    assert all(device.startswith("cpu of tcp://") for device in manifest["devices"])
    assert tasks_left(dask_cluster) == []


def test_interrupted_local_run_is_finished_on_the_cluster(
    dask_cluster, folder, options, local, tmp_path
):
    stop = threading.Event()
    first = run_batch(
        folder,
        tmp_path,
        options,
        device="cpu",
        workers=1,
        recursive=True,
        stop=stop,
        on_finished=lambda finished: stop.set() if finished.done == 4 else None,
    )
    assert first.stopped
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*_npa.tif")}
    report = run(dask_cluster, folder, tmp_path, options)
    assert report.done_before == sum(row.status == "ok" for row in first.rows)
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert files(tmp_path) == files(local)


def test_stop_finishes_what_has_begun_and_takes_the_rest_back(
    dask_cluster, folder, options, tmp_path
):
    stop = threading.Event()
    report = run(
        dask_cluster, folder, tmp_path, options, stop=stop, on_finished=lambda _: stop.set()
    )
    assert report.stopped
    assert 1 <= len(report.rows) <= 5  # both workers' images in hand, and what ended meanwhile
    assert tasks_left(dask_cluster) == []
    told = {f"{row.result}_npa.json" for row in report.rows if row.status == "ok"}
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*_npa.json")}
    assert told <= written
    # A worker that begins in the very moment of the stop finishes what nobody waits for.
    assert len(written - told) <= 2


def test_folder_that_a_worker_does_not_see_is_named_in_the_rows(
    dask_cluster, folder, options, tmp_path
):
    """Images are seen, the folder for the results is not: nothing must be written elsewhere."""
    found = find_images(folder, tmp_path)
    with on_cluster.cluster_workers(dask_cluster.scheduler_address, options, "cpu") as workers:
        elsewhere = tmp_path / "not mounted"
        task = on_cluster.Task(str(folder), str(elsewhere), found.images[1], resume=True)
        row = workers.submit(task).result(timeout=60).row
    assert row.status == "failed"
    assert "does not see the folder" in row.message
    assert str(elsewhere) in row.message
    assert not elsewhere.exists()


def test_relative_paths_are_those_of_the_shell(
    dask_cluster, folder, options, local, tmp_path, monkeypatch
):
    monkeypatch.chdir(folder.parent)
    weights = os.path.relpath(options.model)
    arguments = [folder.name, "--output", os.path.relpath(tmp_path), "--model", weights]
    result = CliRunner().invoke(
        app,
        [
            *["batch", *arguments, "--recursive", "--device", "cpu"],
            *["--scheduler", dask_cluster.scheduler_address],
        ],
    )
    assert result.exit_code == 1, result.output  # one image failed
    assert "cut_off.tif" in result.output
    assert "distributed" not in result.output
    assert files(tmp_path) == files(local)


def test_worker_with_other_weights_is_told_before_anything_is_written(
    dask_cluster, folder, tiny_model, tmp_path, monkeypatch
):
    """The same path leads to other weights there: here they are changed after they were read."""
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(tiny_model.read_bytes())
    connect = on_cluster.connected

    def change_and_connect(*arguments):
        network = VGGUNet(UNetConfig(decoder=(8, 8, 8, 8))).eval()
        save_model(weights, network, canvases=TINY_CANVASES, threshold=0.4)
        return connect(*arguments)

    monkeypatch.setattr(on_cluster, "connected", change_and_connect)
    with pytest.raises(BatchError, match=r"worker tcp://.*cannot take part.*other weights"):
        run(dask_cluster, folder, tmp_path / "out", BatchOptions(model=str(weights)))
    assert not (tmp_path / "out").exists()


def test_worker_of_another_version_is_told(dask_cluster, folder, options, tmp_path, monkeypatch):
    monkeypatch.setattr(on_cluster, "Run", partial(on_cluster.Run, version="99.0"))
    with pytest.raises(BatchError, match=r"cannot take part.*version.*Install napari-npa 99\.0"):
        run(dask_cluster, folder, tmp_path, options)


@pytest.mark.parametrize("answers", [False, True])
def test_unreachable_scheduler_is_one_line(options, monkeypatch, answers):
    """Nothing listens there, or what listens is not a scheduler and says nothing."""
    monkeypatch.setattr(dask_client, "REACH_SECONDS", 1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        if answers:
            other.listen()
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with (
            pytest.raises(BatchError, match=f"'{address}' cannot be reached") as told,
            on_cluster.cluster_workers(address, options, "cpu"),
        ):
            pass
    assert "\n" not in str(told.value)


def test_scheduler_without_workers_is_told(options, monkeypatch):
    monkeypatch.setattr(dask_client, "FIRST_WORKER_SECONDS", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster,
        pytest.raises(BatchError, match=r"has no workers.*dask worker tcp://"),
        on_cluster.cluster_workers(cluster.scheduler_address, options, "cpu"),
    ):
        pass


def test_missing_package_is_told_with_its_extra(options, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(BatchError, match=r"pip install 'napari-npa\[cluster\]'"),
        on_cluster.cluster_workers("tcp://127.0.0.1:9", options),
    ):
        pass


def test_killed_worker_costs_no_image(dask_cluster, folder, options, local, tmp_path):
    victim = worker_ids(dask_cluster)[0]

    def kill_one(finished):
        if finished.done == 2:
            os.kill(victim, signal.SIGKILL)

    run(dask_cluster, folder, tmp_path, options, on_finished=kill_one)
    found = files(tmp_path)
    assert {name: found[name] for name in files(local)} == files(local)
    # A process that is killed while it writes leaves a hidden part of a file.
    assert all(Path(name).name.startswith(".") for name in found.keys() - files(local).keys())
    assert victim not in worker_ids(dask_cluster)


def test_image_that_kills_every_worker_is_a_row(
    dask_cluster, folder, options, tmp_path, monkeypatch
):
    """The scheduler gives a task up after the first death here, elsewhere after the fourth."""
    monkeypatch.setattr(dask_cluster.scheduler, "allowed_failures", 0)

    def killing(run, task):
        from napari_npa.batch.cluster import segment_here

        if task.image.name == "eye03.tif":
            worker = distributed.get_worker()
            worker.log_event(run.name, worker.get_current_task())
            time.sleep(0.5)  # until that is sent
            os.kill(os.getpid(), signal.SIGKILL)
        return segment_here(run, task)

    monkeypatch.setattr(on_cluster, "segment_here", killing)
    report = run(dask_cluster, folder, tmp_path, options)
    messages = {row.image: row.message for row in report.rows if row.status == "failed"}
    # Those that waited for the same worker were done elsewhere.
    assert sorted(messages) == ["cut_off.tif", "eye03.tif"]
    assert "all workers that tried it died" in messages["eye03.tif"]


def test_lost_scheduler_ends_the_run_and_keeps_what_was_done(
    dask_cluster, folder, options, tmp_path
):
    """Last of this file: the cluster is gone then."""

    def lose(finished):
        if finished.done == 3:
            dask_cluster.close()

    with pytest.raises(BatchError, match=r"was lost during the run.*What was done is kept"):
        run(dask_cluster, folder, tmp_path, options, on_finished=lose)
    assert 3 <= len(statuses(tmp_path)) < IMAGES
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "stopped"
