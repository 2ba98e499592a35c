import numpy as np
import pytest
import torch

from napari_npa.training.losses import combined_loss, dice_loss, segment_loss


def test_dice_loss_by_hand():
    logits = torch.tensor([[[[40.0, 40.0, -40.0, -40.0]]]])  # probabilities 1, 1, 0, 0
    target = torch.tensor([[[[1.0, 0.0, 1.0, 0.0]]]])
    # 1 - (2·1 + 1) / (2 + 2 + 1)
    assert float(dice_loss(logits, target)) == pytest.approx(1 - 3 / 5)


def test_loss_weighs_its_parts_and_the_non_perfused_class():
    logits = torch.zeros(1, 1, 1, 2)  # probability 1/2, cross entropy ln 2 in each pixel
    target = torch.tensor([[[[1.0, 0.0]]]])
    dice = 1 - (2 * 0.5 + 1) / (1 + 1 + 1)
    cross_entropy = np.log(2) * (3 + 1) / 2  # the non-perfused pixel counts three times
    for share in (0.0, 0.3, 1.0):
        loss = combined_loss(logits, target, cross_entropy_share=share, class_weight=3)
        assert float(loss) == pytest.approx(share * cross_entropy + (1 - share) * dice)


def test_images_without_a_known_target_count_for_nothing():
    logits = torch.randn(2, 1, 4, 4)
    target = torch.zeros(2, 1, 4, 4)
    settings = {"cross_entropy_share": 0.5, "class_weight": 1.0}
    first = combined_loss(logits[:1], target[:1], **settings)
    known = combined_loss(logits, target, known=torch.tensor([1.0, 0.0]), **settings)
    assert float(known) == pytest.approx(float(first))
    assert float(combined_loss(logits, target, known=torch.zeros(2), **settings)) == 0


def test_segment_loss_counts_a_thin_part_as_much_as_a_thick_one():
    target = torch.zeros(1, 1, 60, 60)
    target[..., 5:25, 5:55] = 1  # twenty pixels thick
    target[..., 50:53, 5:55] = 1  # three
    missed = {}
    for name, rows in (("thick", slice(5, 25)), ("thin", slice(50, 53))):
        logits = 40 * target - 20
        logits[..., rows, :] = -20
        missed[name] = float(segment_loss(logits, target))
    assert float(segment_loss(40 * target - 20, target)) == pytest.approx(0, abs=1e-6)
    # The thick bar's skeleton forks into its corners: more segments than the thin one's.
    assert missed["thin"] > 0.1
    pixels = {"thick": 20 * 50, "thin": 3 * 50}
    assert missed["thin"] / missed["thick"] > 3 * pixels["thin"] / pixels["thick"]


def test_segment_loss_is_the_mismatch_of_thickness():
    target = torch.zeros(1, 1, 40, 60)
    target[..., 18:23, 5:55] = 1  # five pixels thick
    half = torch.full_like(target, -20.0)
    half[..., 18:23, 5:55] = 0  # probability 1/2 everywhere inside: half as thick
    assert float(segment_loss(half, target)) == pytest.approx(0.5, abs=0.01)


def test_segment_loss_without_a_segment_has_no_gradient():
    nothing = torch.zeros(1, 1, 8, 8, requires_grad=True)
    segment_loss(nothing, torch.zeros(1, 1, 8, 8)).backward()
    assert not nothing.grad.any()
