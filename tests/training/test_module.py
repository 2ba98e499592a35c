from dataclasses import replace

import pytest
from tiny_training import TINY

from drawing import TINY_CANVASES
from napari_npa.errors import TrainingError
from napari_npa.models.networks import build
from napari_npa.models.weights import save_model
from napari_npa.training.module import TrainingModule


def test_learning_rate_rises_then_falls_along_a_cosine():
    module = TrainingModule(replace(TINY, steps=100, warm_up=0.1))
    rates = [module.learning_rate_share(step) for step in range(101)]
    assert rates[:10] == sorted(rates[:10])
    assert rates[10] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0, abs=1e-9)


def test_weights_without_a_retina_output_cannot_be_trained_further(tmp_path):
    path = tmp_path / "old.safetensors"
    one_output = build(replace(TINY.network, outputs=1))
    save_model(path, one_output, canvases=TINY_CANVASES, threshold=0.5)
    with pytest.raises(TrainingError, match="1 output"):
        TrainingModule(replace(TINY, start_from=str(path)))
