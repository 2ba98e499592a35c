"""Thousands of damaged files: each is read, is not ours, or is refused with a reason, and soon."""

import os
import time
from collections import Counter
from random import Random

import pytest

from clinic.damaged_records import kinds
from napari_npa.errors import NpaError

KINDS = (
    "records", "approvals", "tables", "groups", "annotations", "weights", "checkpoints",
    "training settings",
)  # fmt: skip

MANY = int(os.environ.get("NAPARI_NPA_DAMAGED", "2000"))
"""Files of each kind in the long run."""

LONGEST_SECONDS = 20


def look(folder, model, name, count, seed):
    """Damage files of a kind and open them by every door; tell how often each ended how."""
    kind = kinds(folder, model)[name]
    ends, longest = Counter(), 0.0
    for at in range(count):
        content = kind.damaged(Random(f"{seed} {at}"))
        for door in kind.doors:
            start = time.perf_counter()
            try:
                door(content)
                ends["read, or not ours"] += 1
            except NpaError as error:
                ends["refused" if error.remedy.endswith(".") else "refused without a remedy"] += 1
            except Exception as error:
                raise AssertionError(f"{name}, seed '{seed} {at}': {content[:300]!r}") from error
            longest = max(longest, time.perf_counter() - start)
    assert longest < LONGEST_SECONDS
    assert not ends["refused without a remedy"]
    return ends, longest


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files_end_in_a_reason(tmp_path, tiny_model, name):
    ends, _ = look(tmp_path, tiny_model, name, 12, "few")
    assert ends["refused"] + ends["read, or not ours"] >= 12


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_many_damaged_files_end_in_a_reason(tmp_path, tiny_model, name):
    ends, longest = look(tmp_path, tiny_model, name, MANY, "many")
    assert ends["refused"]
    print(f"{name}: {MANY} files, {dict(ends)}, longest {longest:.2f} s")
