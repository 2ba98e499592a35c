"""A batch in a store gives what it gives in a folder, and goes on after refusals."""

import pytest

from batch_folders import line_of, results, statuses, table
from napari_npa.batch import BatchOptions, run_batch
from napari_npa.errors import NpaError
from napari_npa.io.names import MANIFEST, PARQUET_TABLE, RECORD_FILE, RETINA_FILE, TABLE
from stores import empty_store, unreliable_store


@pytest.fixture
def store():
    return empty_store()


@pytest.fixture
def uploaded(store, source):
    """The source folder, in the store."""
    store.put(str(source), "/angiograms", recursive=True)
    return "memory://angiograms"


def downloaded(store, tmp_path, name="results"):
    folder = tmp_path / f"downloaded {len(list(tmp_path.iterdir()))}"
    store.get(f"/{name}", str(folder), recursive=True)
    return folder


def test_a_store_gives_what_a_folder_gives(batch, source, output, store, uploaded, tmp_path):
    batch(source, output, "--recursive", "--probability")
    result = batch(uploaded, "memory://results", "--recursive", "--probability", "--parquet")
    assert result.exit_code == 0, result.output
    there = downloaded(store, tmp_path)
    assert results(there) == results(output)
    assert (there / MANIFEST).exists()
    assert (there / PARQUET_TABLE).exists()


def test_a_batch_in_a_store_goes_on_where_it_was(batch, store, uploaded, tmp_path):
    batch(uploaded, "memory://results", "--recursive")
    before = results(downloaded(store, tmp_path))
    store.rm(f"/results/visit 1/b{RETINA_FILE}")
    assert "2 done before" in line_of(batch(uploaded, "memory://results", "--recursive"))
    assert results(downloaded(store, tmp_path)) == before
    assert "3 done before" in line_of(batch(uploaded, "memory://results", "--recursive"))


def test_results_below_the_images_of_a_store_are_no_images(batch, store, uploaded):
    for _ in range(2):
        result = batch(uploaded, "memory://angiograms/results", "--recursive", "--probability")
        assert "3 images, 3 ok" in line_of(result)
        assert "3 images, 3 ok" in line_of(batch(uploaded, uploaded, "--recursive"))


def test_a_file_url_is_a_folder(batch, source, output, tmp_path):
    batch(source, output, "--recursive")
    url = f"file://{source}".replace(" ", "%20")
    assert batch(url, f"file://{tmp_path}/by-url", "--recursive").exit_code == 0
    assert results(tmp_path / "by-url") == results(output)


def test_what_a_store_refuses_becomes_a_row(tiny_model, store, uploaded, output, monkeypatch):
    unreliable_store(monkeypatch, "b.tif")
    options = BatchOptions(model=str(tiny_model))
    run_batch("unreliable://angiograms", output, options, device="cpu", recursive=True)
    assert list(statuses(output).values()) == ["ok", "failed", "ok"]
    assert "503 Slow Down" in table(output)[1]["message"]
    monkeypatch.undo()
    run_batch("unreliable://angiograms", output, options, device="cpu", recursive=True)
    assert list(statuses(output).values()) == ["ok", "ok", "ok"]


def test_a_mask_that_a_store_does_not_take_becomes_a_row(
    tiny_model, source, store, tmp_path, monkeypatch
):
    unreliable_store(monkeypatch, f"a{RETINA_FILE}")
    options = BatchOptions(model=str(tiny_model))
    run_batch(source, "unreliable://results", options, device="cpu", recursive=True)
    there = downloaded(store, tmp_path)
    assert list(statuses(there).values()) == ["failed", "ok", "ok"]
    assert not (there / f"a{RECORD_FILE}").exists()


@pytest.mark.parametrize("refused", [TABLE, MANIFEST])
def test_a_table_that_a_store_does_not_take_is_told_before_the_work(
    tiny_model, source, store, monkeypatch, refused
):
    unreliable_store(monkeypatch, refused)
    done = []
    with pytest.raises(NpaError, match="503 Slow Down"):
        run_batch(
            source,
            "unreliable://results",
            BatchOptions(model=str(tiny_model)),
            device="cpu",
            on_finished=done.append,
        )
    assert not done


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("memory://absent", "is not a folder"),
        ("unreliable://angiograms", "403 Forbidden"),
        ("nonsense://x", "cannot be used"),
    ],
)
def test_a_source_that_cannot_be_read_is_told(
    batch, store, uploaded, output, monkeypatch, url, said
):
    unreliable_store(monkeypatch, "listing")
    result = batch(url, output)
    assert isinstance(result.exception, NpaError)
    assert said in str(result.exception)
    assert not output.exists()
