"""A folder and a store that fsspec reaches offer the same, and say what they refuse."""

from pathlib import PurePosixPath

import pytest

from napari_npa.errors import AngiogramError, NpaError, SaveError
from napari_npa.io.names import NPA_FILE
from napari_npa.io.storage import LocalStorage, inside, storage_of
from napari_npa.io.texts.urls import without_password
from stores import empty_store, unreliable_store

A, B = PurePosixPath("a.tif"), PurePosixPath("visit 1/b.tif")


@pytest.fixture
def store():
    return empty_store()


@pytest.fixture(params=["folder", "store"])
def where(request, tmp_path, store):
    """A folder and a store of two files, one of them in a subfolder."""
    for path in (A, B):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(path.name.encode())
    store.put(str(tmp_path), "/images", recursive=True)
    return tmp_path if request.param == "folder" else "memory://images"


def listed(place, **options):
    options = {"recursive": True, "leave_out": None} | options
    return [entry.path for entry in place.files(**options)]


def test_files_are_listed_with_those_of_subfolders_if_asked_for(where):
    place = storage_of(where)
    assert listed(place) == [A, B]
    assert listed(place, recursive=False) == [A]
    assert listed(place, leave_out="visit 1") == [A]


def test_a_file_is_read_on_this_machine(where):
    with storage_of(where).file(B) as file:
        assert file.name == "b.tif"
        assert file.read_bytes() == b"b.tif"


def test_a_file_that_has_gone_is_named(store):
    with (
        pytest.raises(AngiogramError) as caught,
        storage_of("memory://images").file(PurePosixPath("gone.tif")),
    ):
        pass
    assert caught.value.subject == "gone.tif"


def test_results_are_fetched_into_a_workspace_and_published(where):
    place = storage_of(where)
    with place.workspace(PurePosixPath("visit 1")) as workspace:
        assert workspace.fetch("b.tif")
        assert not workspace.fetch(f"b{NPA_FILE}")
        mask = workspace.folder / f"b{NPA_FILE}"
        mask.write_bytes(b"mask")
        workspace.publish((mask,))
    assert place.read(f"visit 1/b{NPA_FILE}", 10) == b"mask"
    assert listed(place) == [A, B, PurePosixPath(f"visit 1/b{NPA_FILE}")]


def test_a_file_is_written_whole_and_read_again(where):
    place = storage_of(where)
    assert place.read("note.txt", 10) is None
    place.write("note.txt", b"\xff note")
    assert place.read("note.txt", 6) == b"\xff note"


def test_a_file_larger_than_it_can_be_is_refused(where):
    place = storage_of(where)
    place.write("note.txt", b"1234")
    with pytest.raises(SaveError, match="larger than"):
        place.read("note.txt", 3)


def test_what_a_store_refuses_keeps_its_reason(store, monkeypatch):
    store.pipe_file("/images/a.tif", b"")
    unreliable = unreliable_store(monkeypatch, "a.tif", "listing")
    place = storage_of(f"{unreliable}://images")
    with pytest.raises(AngiogramError, match="403 Forbidden"):
        listed(place)
    with pytest.raises(AngiogramError, match="503 Slow Down"), place.file(A):
        pass
    with pytest.raises(SaveError, match="503 Slow Down"):
        place.write("a.tif", b"")


@pytest.mark.parametrize("url", ["memory://absent", "nonsense://x"])
def test_a_source_that_is_not_there_is_refused_by_its_url(store, url):
    with pytest.raises(NpaError) as caught:
        listed(storage_of(url))
    assert caught.value.subject == url


@pytest.mark.parametrize(
    "url",
    ["nonsense://doctor:pass:w@rd@host/x", "simplecache::nonsense://doctor:secret@host:21/x"],
)
def test_no_error_tells_the_password_of_a_url(url):
    with pytest.raises(NpaError) as caught:
        storage_of(url)
    assert "doctor@host" in caught.value.subject
    assert not any(word in str(caught.value) for word in ("pass", "w@rd", "secret"))


@pytest.mark.parametrize("text", ["s3://bucket/a:b@c", "memory://a", "C:\\eyes", "host:21 a@b"])
def test_a_text_without_a_password_stays(text):
    assert without_password(text) == text


def test_a_file_url_is_a_folder(tmp_path):
    (tmp_path / "two words").mkdir()
    url = f"file://{tmp_path}/two%20words"
    assert storage_of(url) == LocalStorage(tmp_path / "two words")


def test_one_place_is_inside_another(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    assert inside(tmp_path / "a" / "b", tmp_path / "a") == "b"
    assert inside(f"file://{tmp_path}/a/b/c", tmp_path / "a") == "b/c"
    assert inside(tmp_path / "link" / "c", f"{tmp_path}/a/") == "b/c"
    assert inside(tmp_path, tmp_path) is None
    assert inside(tmp_path, "/") == str(tmp_path)[1:]
    assert inside("memory://a/b", "memory://a/") == "b"
    assert inside("memory://ab", "memory://a") is None


def test_a_folder_that_links_to_itself_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(AngiogramError) as caught:
        listed(storage_of(tmp_path / "loop"))
    assert caught.value.subject == "loop"
    assert inside(tmp_path / "loop" / "x", tmp_path) == "loop/x"


def test_a_loop_of_linked_folders_is_listed_once(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.tif").touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert listed(storage_of(tmp_path)) == [PurePosixPath("a/x.tif")]
