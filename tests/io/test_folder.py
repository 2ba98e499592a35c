"""Exactly the images of a folder are found, whatever their names."""

from collections import Counter
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_npa.io.folder import find_images
from napari_npa.io.names import (
    NPA_ENDING,
    NPA_FILE,
    PICTURE_FILES,
    RECORD_FILE,
    RETINA_ENDING,
)

FOLDERS = ["", "sub", "sub/眼", ".hidden"]
STEMS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), max_size=12)
IMAGE_ENDINGS = (".tif", ".TIF", ".tiff", ".png", ".jpg", ".JPeG")
OTHER_ENDINGS = (f"{NPA_ENDING}.tif", f"{RETINA_ENDING}.png", RECORD_FILE, ".txt", "")
NAMES = st.builds(
    "{}{}".format, STEMS, st.sampled_from([*IMAGE_ENDINGS, *OTHER_ENDINGS, *PICTURE_FILES])
)
PATHS = st.lists(st.tuples(st.sampled_from(FOLDERS), NAMES), max_size=12)


def is_image(folder, name):
    """What an image file is, said another way than the program says it."""
    return (
        name.rpartition(".")[2].lower() in ("tif", "tiff", "png", "jpg", "jpeg")
        and not name.startswith(".")
        and folder != ".hidden"
    )


def is_picture(folder, name, there):
    """Whether a file is called as a picture of a result whose mask is there."""
    return any(
        (folder, name.removesuffix(picture) + NPA_FILE) in there
        for picture in PICTURE_FILES
        if name.endswith(picture) and name != picture
    )


@given(PATHS)
@settings(max_examples=100, deadline=None)
def test_exactly_the_images_are_found_where_no_record_names_a_file(wanted):
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        there = set()
        for folder, name in wanted:
            if name in ("", ".", ".."):
                continue
            with suppress(OSError):  # too long
                (root / folder).mkdir(parents=True, exist_ok=True)
                (root / folder / name).touch()
                there.add((folder, name))
        found = find_images(root, root / "output", recursive=True)
    files = {(f, n) for f, n in there if is_image(f, n)}
    images = {PurePosixPath(f, n) for f, n in files if not is_picture(f, n, there)}
    assert {image.path for image in found.images} == images
    assert len(found.left_out) == len(files) - len(images)
    assert found.skipped == len(there) - len(files)
    stems = Counter(str(path.with_suffix("")).casefold() for path in images)
    for image in found.images:
        assert image.shares_stem == (stems[str(image.path.with_suffix("")).casefold()] > 1)


def test_results_and_names_that_do_not_match_are_left_out(tmp_path):
    for name in ("a_late.tif", "a_early.tif", "results/b_late.tif", "sub/c_late.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_images(tmp_path, tmp_path / "results", recursive=True, pattern="*_late.tif")
    assert [image.name for image in found.images] == ["a_late.tif", "sub/c_late.tif"]
    assert found.skipped == 1
