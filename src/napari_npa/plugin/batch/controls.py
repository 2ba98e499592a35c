"""The controls of the batch panel, in the order of use."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_npa.plugin.batch.results import BatchResults
from napari_npa.plugin.qt.field_of_view_box import FieldOfViewBox
from napari_npa.plugin.qt.folder_label import FolderLabel
from napari_npa.plugin.qt.model_choice import DeviceBox, ModeBox, ModelBox
from napari_npa.plugin.qt.panel import Panel
from napari_npa.plugin.qt.scrolling import fill_scrolling
from napari_npa.plugin.qt.status_label import StatusLabel

CHOOSE_IMAGES = "Choose a folder of angiograms, or the results of an earlier run."


class BatchControls(Panel):
    """Names, explains and lays out the controls; the panel decides what they do."""

    def __init__(self) -> None:
        super().__init__()
        self._build_run()
        self._build_results()
        self._lay_out()

    def options(self) -> tuple[QWidget, ...]:
        """Controls that are disabled while a batch runs."""
        return (
            self.choose_images,
            self.choose_output,
            self.pattern,
            self.models,
            self.fields,
            self.recursive,
            self.modes,
            self.probability,
            self.overwrite,
        )

    def _build_run(self) -> None:
        self.choose_images = QPushButton("Images…")
        self.choose_images.setToolTip("Choose the folder of angiograms to segment.")
        self.choose_output = QPushButton("Results…")
        self.choose_output.setToolTip(
            "Choose the folder for masks, overlays and the table, or the results of an earlier\n"
            "run to look at. Until then it is the folder npa_results in that of the images."
        )
        self.images_folder = FolderLabel("Folder of angiograms.")
        self.output_folder = FolderLabel("Folder of results.")
        self.pattern = QLineEdit()
        self.pattern.setPlaceholderText("all; or such as *_late.tif")
        self.pattern.setToolTip(
            "Only images whose file name matches: * stands for anything, ? for one character.\n"
            "Upper and lower case differ."
        )
        self.models = ModelBox()
        self.fields = FieldOfViewBox()
        self.recursive = QCheckBox("subfolders too")
        self.recursive.setToolTip(
            "Search the folders in this one as well; the results get the same subfolders."
        )
        self.modes = ModeBox(self.models)
        self.probability = QCheckBox("probability maps")
        self.probability.setToolTip("Write a map of probabilities for each image as well.")
        self.overwrite = QCheckBox("make all again")
        self.overwrite.setToolTip(
            "Segment images again that have a result already. Otherwise results made from the\n"
            "same images in the same way are kept, and a stopped run goes on where it was.\n"
            "Corrected and approved masks are always kept."
        )
        self.devices = DeviceBox()
        self.run = QPushButton("Run")
        self.run.setToolTip("Segment the folder. napari stays usable meanwhile.")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip(
            "Stop after the images in hand; Run goes on from there. Closing the panel or napari\n"
            "stops the same way."
        )
        self.progress = QProgressBar()
        self.progress.setToolTip("Images done.")
        self.status = StatusLabel(CHOOSE_IMAGES)

    def _build_results(self) -> None:
        self.results = BatchResults()
        self.open = QPushButton("Open")
        self.open.setToolTip("Open the chosen image with its masks, as a double click does.")
        self.opening = StatusLabel(explained="What became of the image that was opened.")
        self.review = QPushButton("Review these")
        self.review.setToolTip(
            "Open this folder in the review queue, at the chosen image, to correct and approve.\n"
            "What is corrected is changed in this table too."
        )

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.choose_images, self.images_folder)
        form.addRow(self.choose_output, self.output_folder)
        form.addRow("File names", self.pattern)
        form.addRow("Model", self.models)
        form.addRow("Field of view", self.fields)
        form.addRow("Device", self.devices)
        checks = QGridLayout()
        for at, box in enumerate((self.recursive, self.modes, self.probability, self.overwrite)):
            checks.addWidget(box, *divmod(at, 2))
        runs = QHBoxLayout()
        runs.addWidget(self.run, 2)
        runs.addWidget(self.cancel, 1)
        opens = QHBoxLayout()
        opens.addWidget(self.open, 1)
        opens.addWidget(self.review, 2)
        layout = QVBoxLayout()
        for part in (form, checks, runs):
            layout.addLayout(part)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addWidget(self.results, 1)
        layout.addLayout(opens)
        layout.addWidget(self.opening)
        fill_scrolling(self, layout)
