"""Images get the group that a table of the user gives them, or the table is refused."""

import pytest

from napari_npa.analysis.groups import GROUPLESS, Groups, read_groups
from napari_npa.errors import EvaluationError


@pytest.mark.parametrize(
    "name", ["north/a.tif", "north\\a.tif", "north/a", "a.tif", "a"], ids=lambda name: name
)
def test_an_image_is_found_by_its_path_its_file_name_or_its_stem(tmp_path, name):
    path = tmp_path / "groups.csv"
    path.write_text(f"image,arm\n{name},x\n", "utf-8")
    groups = read_groups(path, "arm")
    assert groups.assign(["north/a.tif", "south/b.tif"]) == ["x", GROUPLESS]


def test_the_full_path_goes_before_the_stem(tmp_path):
    groups = Groups(tmp_path / "groups.csv", "arm", {"south/a.tif": "x", "a": "y"})
    assert groups.assign(["a.tif", "south/a.tif"]) == ["y", "x"]


def test_a_name_that_stands_for_two_images_is_refused(tmp_path):
    groups = Groups(tmp_path / "groups.csv", "arm", {"1": "x"})
    with pytest.raises(EvaluationError, match="has '1', which stands for 2 images"):
        groups.assign(["north/1.tif", "south/1.tif"])


def test_letters_decomposed_by_macos_are_the_same_letters(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("image,arm\nM\u00fcller,x\n", "utf-8")
    assert read_groups(path, "arm").assign(["Mu\u0308ller.tif"]) == ["x"]


def test_groups_of_other_images_are_refused(tmp_path):
    groups = Groups(tmp_path / "groups.csv", "arm", {"z": "x"})
    with pytest.raises(EvaluationError, match=r"names none of the 1 images, such as 'a.tif'"):
        groups.assign(["a.tif"])


def test_an_absent_table_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_groups(tmp_path / "absent.csv", "arm")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_excel_are_read(tmp_path, encoding, separator):
    path = tmp_path / "excel.csv"
    lines = [["eye", "größe"], ["a", "groß"], ["b", ""], ["c"], []]
    path.write_text("\r\n".join(separator.join(line) for line in lines), encoding)
    groups = read_groups(path, "größe", "eye")
    assert groups.of == {"a": "groß", "b": GROUPLESS, "c": GROUPLESS}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        (b"image;severity\na;x\n", r"has no column 'arm'. Its columns are image, severity"),
        (b"eye,arm\na,x\n", "has no column 'image'"),
        (b"image,arm\na,x\na,y\n", "lists 'a' 2 times. Leave one row"),
        (
            b"image,arm\n" + b"".join(b"%d,Name%d\n" % (n, n) for n in range(101)),
            "has 101 groups in its column 'arm'. Choose a column of at most 100",
        ),
        (b"image,arm\n,x\n", "names no image in its column 'image'"),
        (
            "image,arm\na,größe\n".encode("cp1252"),
            r"is not in UTF-8: line 2 has the cell 'gr��e'\. In Excel, save it as 'CSV UTF-8",
        ),
        (b'image,arm\na,x\nb,"y\nc,z\n', r"is not a CSV table \(line 3: unexpected end"),
        (b"image,arm\na,x,y\n", "has the cell 'y' of line 2 in a column without a name"),
        (b"image,arm,arm\na,x,y\n", "has 2 columns 'arm'. Rename all but one"),
    ],
)
def test_an_unfit_table_of_groups_is_refused_with_the_way_out(tmp_path, content, message):
    path = tmp_path / "groups.csv"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=message):
        read_groups(path, "arm")
