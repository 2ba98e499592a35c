"""The line of status is never wider than its dock, and can be copied as it is."""

import pytest
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_npa.plugin.qt.status_label import StatusLabel

PATH = "/mnt/clinic/" + "a_very_long_folder_name_without_a_space" * 5 + "/eye_npa.tif"


@pytest.fixture
def dock(qtbot):
    dock = QWidget()
    qtbot.addWidget(dock)
    QVBoxLayout(dock).addWidget(StatusLabel())
    dock.resize(300, 400)
    dock.show()
    return dock


@pytest.fixture
def label(dock):
    return dock.findChild(StatusLabel)


def test_a_long_path_makes_the_label_higher_and_not_wider(dock, label):
    label.setText("Saved.")
    one_line = label.height()
    label.setText(f"Saved in {PATH}")
    assert dock.minimumSizeHint().width() < 100
    assert label.width() <= 300
    lines = label.document().size().height() / (one_line - 1)
    assert lines > 3
    assert label.height() >= label.document().size().height() - 1
    label.setText("")
    assert label.height() <= one_line


def test_what_is_copied_is_what_was_said(label, qapp):
    label.setText(f"Saved in {PATH}")
    label.selectAll()
    label.copy()
    assert qapp.clipboard().text() == label.text() == f"Saved in {PATH}"
