"""Exactly the images of a folder are found, whatever their names."""

from collections import Counter
from contextlib import suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_npa.batch import find_images

stems = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), max_size=12)
endings = st.sampled_from(
    [".tif", ".TIF", ".tiff", ".png", ".jpg", ".JPeG", ".txt", "", "_npa.tif", "_retina.png",
     "_overlay.png", "_probability.tif", "_npa.json"]
)  # fmt: skip
names = st.builds("{}{}".format, stems, endings)
paths = st.lists(st.tuples(st.sampled_from(["", "sub", "sub/眼", ".hidden"]), names), max_size=12)


@given(paths)
@settings(max_examples=150, deadline=None)
def test_exactly_the_images_are_found(wanted):
    with TemporaryDirectory() as folder:
        root = Path(folder)
        there = set()
        for parent, name in wanted:
            if name in ("", ".", ".."):
                continue
            with suppress(OSError):  # too long
                (root / parent).mkdir(parents=True, exist_ok=True)
                (root / parent / name).touch()
                there.add((PurePosixPath(parent), name))
        found = find_images(root, root / "output", recursive=True)

        def is_picture(parent, name):
            return any(
                (parent, name.removesuffix(picture) + end) in there
                for picture in ("_overlay.png", "_probability.tif")
                if name.endswith(picture)
                for end in ("_npa.json", "_npa.tif")
            )

        expected = {
            str(parent / name)
            for parent, name in there
            if name.lower().endswith((".tif", ".tiff", ".png", ".jpg", ".jpeg"))
            and not name.startswith(".")
            and parent.name != ".hidden"
            and not name.rpartition(".")[0].endswith(("_npa", "_retina"))
            and not is_picture(parent, name)
        }
        assert {str(image.path) for image in found.images} == expected
        assert found.skipped == len(there) - len(expected)
        stems = Counter(str(PurePosixPath(path).with_suffix("")).casefold() for path in expected)
        for image in found.images:
            assert image.shares_stem == (stems[str(image.path.with_suffix("")).casefold()] > 1)
