import pytest

from napari_npa.errors import TrainingError
from napari_npa.training.config import TrainingConfig, preset_config


def test_canvas_that_does_not_fit_the_network_is_refused():
    with pytest.raises(TrainingError, match="multiple of 32"):
        TrainingConfig(view=64, canvases={"55": 64, "uwfa": 100})


def test_the_tile_recipe_is_a_preset_that_starts_from_the_whole_image_network():
    config = preset_config("tile", encoder=None, canvases={}, changes={})
    assert config.canvases == {"55": 512, "uwfa": 2048}
    assert config.start_from == "whole"
    assert config.halved


def test_published_recipe_is_a_preset():
    config = preset_config("published", encoder=None, canvases={}, changes={"steps": 5})
    assert config.network.decoder == (512, 256, 128, 64)
    assert (config.batch_size, config.learning_rate, config.steps) == (2, 1e-4, 5)


def test_encoder_and_canvases_replace_those_of_the_preset():
    small = preset_config("default", encoder="plain", canvases={"55": 64}, changes={})
    assert small.canvases == {"55": 64, "uwfa": 1024}
    assert small.network.encoder == "plain"
    with pytest.raises(TrainingError, match="multiple of 32"):
        preset_config("default", encoder=None, canvases={"55": 100}, changes={})
