"""The registry of the tools of correction."""

import subprocess
import sys
from typing import get_args

import pytest

from napari_npa.models.weights import load_model
from napari_npa.refine import TOOLS, ToolId, tool_for
from napari_npa.refine.close_up import CANVASES


def test_every_id_has_a_tool_and_every_tool_its_id():
    assert tuple(TOOLS) == get_args(ToolId)
    assert all(tool.id == name for name, tool in TOOLS.items())


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.id)
def test_a_tool_explains_itself_in_a_line(tool):
    assert tool.explanation.endswith(".")
    assert len(tool.explanation) < 90
    assert "\n" not in tool.explanation
    assert tool.title


def test_no_two_tools_have_the_same_title():
    assert len({tool.title for tool in TOOLS.values()}) == len(TOOLS)


def test_nothing_has_to_be_found_to_clear_a_shape():
    assert tool_for("network", "remove", "shape") is TOOLS["shape"]
    assert tool_for(None, "replace", "shape") is TOOLS["network"]
    assert tool_for(None, "remove", "click") is TOOLS["grow"]


@pytest.mark.parametrize(("tool", "takes"), [("magic", "shape"), ("grow", "shape")])
def test_what_does_not_look_in_a_shape_is_refused_with_what_does(tool, takes):
    with pytest.raises(ValueError, match=f"{tool}.*allowed with a shape are network, shape"):
        tool_for(tool, "add", takes)


def test_what_does_not_take_a_click_is_refused_with_what_does():
    with pytest.raises(ValueError, match="'network'; allowed with a click are grow"):
        tool_for("network", "add", "click")


def test_one_close_up_serves_the_embedded_network_and_the_tools_without_one():
    assert load_model("tile").canvases == CANVASES


def test_to_list_the_tools_imports_neither_numpy_nor_torch():
    listed = "import sys; from napari_npa.refine import TOOLS; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert not {"numpy", "torch", "skimage"} & set(told.stdout.split())
