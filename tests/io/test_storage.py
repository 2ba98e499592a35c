"""Stores that fsspec reaches: the same results as in a folder, and errors that are told."""

import fsspec
import pytest
from batch_folders import line_of, results, statuses, table
from fsspec.implementations.memory import MemoryFileSystem

from napari_npa.batch import BatchOptions, run_batch
from napari_npa.errors import AngiogramError, NpaError, SaveError
from napari_npa.io.names import TABLE
from napari_npa.io.storage import LocalPlace, inside, place_of


class Unreliable(MemoryFileSystem):
    """A store that refuses some files, as a server in trouble."""

    protocol = "unreliable"
    refused = ()

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("unreliable://", "memory://"))

    def _open(self, path, *arguments, **options):
        if path.rpartition("/")[2] in self.refused:
            raise RuntimeError("503 Slow Down")
        return super()._open(path, *arguments, **options)

    def find(self, path, *arguments, **options):
        if "listing" in self.refused:
            raise RuntimeError("403 Forbidden")
        return super().find(path, *arguments, **options)


fsspec.register_implementation("unreliable", Unreliable, clobber=True)


@pytest.fixture
def store():
    """An empty store in memory."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    return store


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
    assert (there / "run.json").exists()
    assert (there / "ischemia.parquet").exists()


def test_a_batch_in_a_store_goes_on_where_it_was(batch, store, uploaded, tmp_path):
    batch(uploaded, "memory://results", "--recursive")
    before = results(downloaded(store, tmp_path))
    store.rm("/results/visit 1/b_retina.tif")
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
    monkeypatch.setattr(Unreliable, "refused", ("b.tif",))
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
    monkeypatch.setattr(Unreliable, "refused", ("a_retina.tif",))
    options = BatchOptions(model=str(tiny_model))
    run_batch(source, "unreliable://results", options, device="cpu", recursive=True)
    there = downloaded(store, tmp_path)
    assert list(statuses(there).values()) == ["failed", "ok", "ok"]
    assert not (there / "a_npa.json").exists()


@pytest.mark.parametrize("refused", [TABLE, "run.json"])
def test_a_table_that_a_store_does_not_take_is_told_before_the_work(
    tiny_model, source, store, monkeypatch, refused
):
    monkeypatch.setattr(Unreliable, "refused", (refused,))
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
    monkeypatch.setattr(Unreliable, "refused", ("listing",))
    result = batch(url, output)
    assert isinstance(result.exception, NpaError)
    assert said in str(result.exception)
    assert not output.exists()


def test_a_text_that_is_not_utf8_is_told(store, tmp_path):
    (tmp_path / "x").write_bytes(b"\xff")
    store.pipe_file("/results/x", b"\xff")
    for place in (LocalPlace(tmp_path), place_of("memory://results")):
        with pytest.raises(SaveError, match="not UTF-8"):
            place.read_text("x")
        assert place.read_text("absent") is None


def test_one_place_is_inside_another(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    assert inside(tmp_path / "a" / "b", tmp_path / "a") == "b"
    assert inside(f"file://{tmp_path}/a/b/c", tmp_path / "a") == "b/c"
    assert inside(tmp_path / "link" / "c", f"{tmp_path}/a/") == "b/c"
    assert inside(tmp_path, tmp_path) is None
    assert inside(tmp_path, "/") == str(tmp_path)[1:]
    assert inside("memory://a/b", "memory://a/") == "b"
    assert inside("memory://ab", "memory://a") is None


def test_a_folder_that_is_a_link_to_itself_is_told(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(AngiogramError, match="is not a folder"):
        list(place_of(tmp_path / "loop").files(recursive=False, leave_out=None))
    assert inside(tmp_path / "loop" / "x", tmp_path) == "loop/x"
