"""The rules of the house: rooms, their sizes, what they may import, and the project's own files."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import pytest
import yaml
from npe2 import PluginManifest
from packaging.requirements import Requirement

import napari_npa

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_npa"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LAYERS, WITHOUT_NAPARI = PROJECT["tool"]["importlinter"]["contracts"]
WORKFLOWS = ROOT / ".github" / "workflows"

ENTRIES, ROOMS, FILES, LINES = 25, 15, 16, 400
"""Most entries and rooms of the package, files of a folder and lines of a module."""


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != "__pycache__"]


def test_the_package_fits_on_a_screen():
    assert len(entries(PACKAGE)) <= ENTRIES
    assert sum(path.is_dir() for path in entries(PACKAGE)) <= ROOMS


def test_no_folder_holds_too_many_files():
    counts = {
        folder.relative_to(PACKAGE).as_posix(): sum(path.is_file() for path in entries(folder))
        for folder in PACKAGE.rglob("*/")
        if folder.name != "__pycache__"
    }
    assert {folder: count for folder, count in counts.items() if count > FILES} == {}


def test_no_module_is_too_long():
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in PACKAGE.rglob("*.py")
    }
    assert {module: lines for module, lines in lengths.items() if lines > LINES} == {}


@pytest.fixture
def copied(tmp_path):
    """The package's modules and the contracts, to be changed and linted."""
    shutil.copytree(
        PACKAGE,
        tmp_path / "napari_npa",
        ignore=lambda folder, names: [
            name
            for name in names
            if name == "__pycache__" or not (Path(folder, name).is_dir() or name.endswith(".py"))
        ],
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_rooms_keep_their_contracts(copied):
    linted = lint_imports(copied)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("io/names.py", "import napari_npa.results.table", LAYERS),
        ("measure/ischemia.py", "import qtpy.QtCore", WITHOUT_NAPARI),
        ("new_room/__init__.py", "", LAYERS),
    ],
    ids=["a higher room", "Qt", "a room without a place"],
)
def test_an_import_from_where_it_must_not_come_is_found(copied, module, line, broken):
    path = copied / "napari_npa" / module
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    linted = lint_imports(copied)
    assert linted.returncode == 1
    assert f"{broken['name']} BROKEN" in linted.stdout


def test_every_room_but_the_plugin_is_kept_from_napari():
    rooms = {room for layer in LAYERS["layers"] for room in layer.replace(":", " ").split()}
    assert set(WITHOUT_NAPARI["source_modules"]) == {
        f"napari_npa.{room}" for room in rooms - {"plugin"}
    }


def test_the_commands_of_the_manifest_exist():
    PluginManifest.from_file(PACKAGE / "napari.yaml").validate_imports()


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name
)
def test_the_files_of_the_forge_can_be_read(path):
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)


def workflow(name: str) -> dict:
    return yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text(encoding="utf-8"))


def make_targets(commands: list[str]) -> set[str]:
    return {words[1] for words in map(str.split, commands) if words[:1] == ["make"]}


def test_the_workflows_run_what_continuous_integration_runs_here():
    steps = [
        step.get("run", "")
        for name in ("test", "lint")
        for job in workflow(name)["jobs"].values()
        for step in job["steps"]
    ]
    here = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert make_targets(steps) == make_targets(here)


def test_the_classifiers_name_the_pythons_that_are_tested():
    tested = workflow("test")["jobs"]["test"]["strategy"]["matrix"]["python"]
    named = [text.rsplit(" ", 1)[1] for text in PROJECT["project"]["classifiers"] if "3." in text]
    assert named == tested


def test_every_dependency_has_a_lower_bound():
    project = PROJECT["project"]
    texts = chain(project["dependencies"], *project["optional-dependencies"].values())
    bounded: dict[str, bool] = {}
    for wanted in map(Requirement, texts):
        has_bound = any(part.operator == ">=" for part in wanted.specifier)
        bounded[wanted.name] = bounded.get(wanted.name, False) or has_bound
    assert [name for name, has_bound in bounded.items() if not has_bound] == ["napari-npa"]


def test_the_version_is_that_of_the_installed_package():
    assert napari_npa.__version__ == version("napari-npa")


def test_importing_the_package_looks_nothing_up():
    program = "\n".join(
        [
            "import sys",
            "before = set(sys.modules)",
            "import napari_npa",
            "print(*{'importlib.metadata', 'torch', 'numpy'} & (set(sys.modules) - before))",
        ]
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
