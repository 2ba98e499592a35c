"""What ``import napari_npa`` offers, and what it does not load."""

import subprocess
import sys

import pytest

import napari_npa


def test_importing_the_package_loads_nothing_heavy():
    story = (
        "import sys, napari_npa; dir(napari_npa)\n"
        "print({'torch', 'napari', 'numpy'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True)
    assert answer.stdout == "set()\n", answer.stderr


@pytest.mark.parametrize("name", napari_npa.__all__)
def test_every_public_name_is_there_and_explained(name):
    assert name in dir(napari_npa)
    thing = getattr(napari_npa, name)
    assert thing.__doc__


def test_a_function_is_not_hidden_by_a_room_that_was_imported():
    from napari_npa.segmentation import segmenter
    from napari_npa.simulation import eye

    assert napari_npa.segment is segmenter.segment
    assert napari_npa.simulate is eye.simulate


def test_an_unknown_name_is_told():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        napari_npa.nothing  # noqa: B018
