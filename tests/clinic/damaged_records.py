"""Files damaged at random, and the doors of the program that read them.

Each kind of file has whole examples, a way to damage one, and the public calls that a user's
commands and panels make with such a file.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from safetensors.torch import save

from annotated import IMAGE, annotation_after
from clinic.annotations import packed, signed, unpacked
from clinic.records import NESTED
from clinic.tables import COUNTRIES, ROWS, saved
from clinic.weights import parts
from drawing import draw_round_angiogram
from napari_npa.analysis.cohort import read_images
from napari_npa.analysis.groups import read_groups
from napari_npa.annotation.file import decode, encode
from napari_npa.annotation.store import AnnotationStore
from napari_npa.io.angiogram import as_angiogram, read_angiogram
from napari_npa.io.writing import write_gray
from napari_npa.models.networks import UNetConfig, build
from napari_npa.models.weights import load_model
from napari_npa.models.weights.store import HEADER
from napari_npa.results.approvals import Approvals, is_approved, withdraw
from napari_npa.results.folder import ResultFolder
from napari_npa.results.result import Result
from napari_npa.results.saved import SavedResult
from napari_npa.results.table import Row, read_table, update_table
from napari_npa.review.queue import ReviewQueue
from napari_npa.segmentation.segmenter import Segmenter
from napari_npa.training.config import TrainingConfig
from napari_npa.training.cross_validation import calibration
from napari_npa.training.run_files import (
    load_averaged,
    read_curve,
    require_same_settings,
    training_seconds,
    write_curve,
)

NASTY = [
    None, True, -1, 0, 2, 1.5, -5.0, 10**400, 2**63, 1e308, float("nan"), float("inf"), "", "x",
    "x" * 300, "../x", "/x", "\0", "\ud800", "nan", "=1+1", [], [1], {}, {"a": 1}, NESTED, "é" * 99,
]  # fmt: skip
"""Values that stand where others belong."""


def bytes_damaged(content: bytes, random: Random) -> bytes:
    """Cut, flipped, doubled, shuffled or overwritten bytes."""
    damaged = bytearray(content)
    for _ in range(random.randint(1, 4)):
        at, length = random.randrange(len(damaged) + 1), random.randint(1, 64)
        match random.randrange(5):
            case 0:
                del damaged[at:]
            case 1:
                del damaged[at : at + length]
            case 2:
                damaged[at:at] = random.randbytes(length)
            case 3:
                damaged[at : at + length] = damaged[at : at + length][::-1]
            case _ if damaged:
                damaged[at % len(damaged)] ^= 1 << random.randrange(8)
    return bytes(damaged)


def json_damaged(content: bytes, random: Random) -> bytes:
    """JSON with values replaced, removed or moved; now and then no JSON any more."""
    if random.random() < 0.25:
        return bytes_damaged(content, random)
    tree = json.loads(content)
    for _ in range(random.randint(1, 3)):
        inner, path = tree, []
        while isinstance(inner, dict | list) and inner and (not path or random.random() < 0.7):
            key = random.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            path.append((inner, key))
            inner = inner[key]
        if not path:
            return json.dumps(random.choice(NASTY)).encode()
        holder, key = path[-1]
        if random.random() < 0.2:
            del holder[key]
        else:
            holder[key] = random.choice([*NASTY, tree if random.random() < 0.05 else 1, inner])
        try:
            json.dumps(tree)
        except (ValueError, RecursionError):  # it holds itself
            return b"[" * 100_000
    return json.dumps(tree).encode()


def csv_damaged(content: bytes, random: Random) -> bytes:
    """A table with cells replaced, moved or removed; now and then no table any more."""
    if random.random() < 0.3:
        return bytes_damaged(content, random)
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    for _ in range(random.randint(1, 3)):
        row = random.choice(rows)
        match random.randrange(4):
            case 0 if row:
                del row[random.randrange(len(row))]
            case 1:
                row.append(str(random.choice(NASTY))[:1000])
            case _ if row:
                row[random.randrange(len(row))] = str(random.choice(NASTY))[:1000]
    text = io.StringIO()
    csv.writer(text, delimiter=random.choice(",,;\t")).writerows(rows)
    encoding = random.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    return text.getvalue().encode(encoding, "replace")


@dataclass
class Kind:
    """A kind of file.

    Attributes
    ----------
    damaged
        A damaged example.
    doors
        What reads it, given its content; raises only errors of ours.
    """

    damaged: Callable[[Random], bytes]
    doors: tuple[Callable[[bytes], object], ...]


def kinds(folder: Path, model: Path) -> dict[str, Kind]:
    """All kinds of files, with doors that work in a folder."""
    return {
        "records": _records(folder / "records", model),
        "approvals": _approvals(folder / "approvals"),
        "tables": _tables(folder / "tables"),
        "groups": _groups(folder / "groups"),
        "annotations": _annotations(folder / "annotations"),
        "weights": _weights(folder / "weights", model),
        "checkpoints": _checkpoints(folder / "checkpoints"),
        "training settings": _training(folder / "training"),
    }


def _placed(path: Path, door: Callable[[], object]) -> Callable[[bytes], object]:
    """A door that finds the content in a file."""

    def use(content: bytes) -> object:
        path.write_bytes(content)
        return door()

    return use


def _records(folder: Path, model: Path) -> Kind:
    eye = folder / "eyes" / "eye.tif"
    eye.parent.mkdir(parents=True)
    write_gray(eye, draw_round_angiogram(96))
    out, aside = ResultFolder(folder / "out"), folder / "aside"
    angiogram = read_angiogram(eye)
    found = Segmenter("cpu", model).segment(angiogram, threshold=0.43)
    session = annotation_after(2, angiogram.sha256).session.as_record()
    result = replace(Result.of(found, options={"model": ["a"]}), edited=True, session=session)
    out.save(result)
    shutil.copytree(out.path, aside)
    record = out.path / "eye_npa.json"
    whole = record.read_bytes()

    def again() -> None:
        shutil.rmtree(out.path)
        shutil.copytree(aside, out.path)

    def saved_again(content: bytes) -> None:
        again()
        record.write_bytes(content)
        out.save(result)
        again()

    def queued() -> None:
        queue = ReviewQueue(eye.parent, out.path)
        queue.state(0), queue.is_ungradable(0)
        saved = queue.saved_result(0, angiogram.sha256)
        if saved is not None:
            update_table(out.path, saved.row, create=True)
            read_table(out.path)

    def known() -> None:
        saved = SavedResult.at(out.path / "eye")
        if saved is not None:
            assert saved.row.isi is None or 0 <= saved.row.isi <= 1
            _ = saved.is_whole, saved.identity, saved.files

    return Kind(
        lambda random: json_damaged(whole, random),
        (
            _placed(record, known),
            _placed(record, lambda: out.load(angiogram)),
            _placed(record, queued),
            saved_again,
        ),
    )


def _approvals(folder: Path) -> Kind:
    folder.mkdir()
    path = folder / "review.json"
    names = {f"{name}.tif": f"{at:064x}" for at, name in enumerate("abc")}
    whole = json.dumps({"position": "b.tif", "approved": names}).encode()

    def opened() -> None:
        Approvals(folder).store()
        for other in folder.glob("review_damaged_*"):
            other.unlink()

    return Kind(
        lambda random: json_damaged(whole, random),
        (
            _placed(path, opened),
            _placed(path, lambda: is_approved(folder, "0" * 64)),
            _placed(path, lambda: withdraw(folder, "a", "0" * 64)),
        ),
    )


def _tables(folder: Path) -> Kind:
    folder.mkdir()
    path = folder / "ischemia.csv"
    examples = [saved(ROWS), *(saved(ROWS, **how) for how in COUNTRIES.values())]

    def damaged(random: Random) -> bytes:
        if random.random() < 0.5:
            return csv_damaged(examples[0], random)
        return bytes_damaged(random.choice(examples), random)

    def read() -> None:
        for row in read_table(folder):
            assert row.isi is None or 0 <= row.isi <= 1

    def updated() -> None:
        rows = {row.image for row in read_table(folder)}
        update_table(folder, Row("new.tif", isi=0.5, result="new"))
        assert rows <= {row.image for row in read_table(folder)}

    return Kind(
        damaged, (_placed(path, read), _placed(path, lambda: read_images(folder)),
                  _placed(path, updated)),
    )  # fmt: skip


def _groups(folder: Path) -> Kind:
    folder.mkdir()
    path = folder / "groups.csv"
    whole = b"image,arm\na,1\nb.tif,2\nsub/c.tif,1\n"

    def assigned() -> None:
        read_groups(path, "arm").assign(["a.tif", "b.tif", "sub/c.tif"])

    return Kind(lambda random: csv_damaged(whole, random), (_placed(path, assigned),))


def _annotations(folder: Path) -> Kind:
    folder.mkdir()
    store = AnnotationStore(folder)
    path = folder / f"{IMAGE}.{'ab' * 16}.annotation"
    whole = encode(annotation_after(3))
    summary, inner = unpacked(whole)
    start = len(whole) - len(whole[22:])

    def damaged(random: Random) -> bytes:
        match random.randrange(4):
            case 0:
                return bytes_damaged(whole, random)
            case 1:  # with a digest that fits
                return signed(bytes_damaged(whole[start + 32 :], random))
            case 2:
                session = json_damaged(inner["session"], random)
                return packed(summary, {**inner, "session": session})
            case _:
                try:
                    about = json.loads(json_damaged(json.dumps(summary).encode(), random))
                except (ValueError, RecursionError):
                    about = NESTED
                return packed(about, inner)

    def loaded() -> None:
        store.unsaved()
        try:
            annotation = store.load(IMAGE)
            if annotation is not None:
                assert 0 < annotation.threshold <= 1
                annotation.session.npa.unpack()
        finally:
            for other in folder.glob("*.damaged"):
                other.unlink()

    return Kind(damaged, (lambda content: decode(content, "kept"), _placed(path, loaded)))


def _weights(folder: Path, model: Path) -> Kind:
    folder.mkdir()
    whole = model.read_bytes()
    header, tensors = parts(model)
    eye = as_angiogram(draw_round_angiogram(96))

    def damaged(random: Random) -> bytes:
        if random.random() < 0.3:
            return bytes_damaged(whole, random)
        if random.random() < 0.2:
            changed = dict(tensors)
            name = random.choice(sorted(changed))
            changed[name] = random.choice(
                [
                    torch.full_like(changed[name], random.choice([0, -1, 60_000])),
                    changed[name].flatten(),
                    torch.zeros(random.randint(0, 9)),
                    changed[name].to(random.choice([torch.int64, torch.bool, torch.float64])),
                    changed[name].double() * float("nan"),
                ]
            ).contiguous()
            return save(changed, metadata={HEADER: json.dumps(header)})
        text = json_damaged(json.dumps(header).encode(), random).decode("utf-8", "replace")
        return save(tensors, metadata={HEADER: text})

    def used() -> None:
        loaded = load_model(folder / "w.safetensors")
        if max(loaded.canvases.values()) <= 128:
            found = Segmenter("cpu", loaded).segment(eye)
            assert np.isfinite(found.probability).all()

    return Kind(damaged, (_placed(folder / "w.safetensors", used),))


def _checkpoints(folder: Path) -> Kind:
    folder.mkdir()
    network = build(UNetConfig(encoder="narrow", decoder=(8, 8, 8, 8)))
    states: list[bytes] = []
    for legacy in (False, True):
        content = io.BytesIO()
        state = {"state_dict": network.state_dict(), "epoch": 1, "callbacks": {}}
        torch.save(state, content, _use_new_zipfile_serialization=not legacy)
        states.append(content.getvalue())
    return Kind(
        lambda random: bytes_damaged(random.choice(states), random),
        (
            _placed(folder / "last.ckpt", lambda: load_averaged(network, folder)),
            _placed(folder / "w.pth", lambda: load_model(folder / "w.pth")),
        ),
    )


def _training(folder: Path) -> Kind:
    folder.mkdir()
    config = TrainingConfig()
    settings = json.dumps(asdict(config)).encode()
    curve = b"step,loss,dice,seconds\n100,0.5,nan,10.0\n200,0.4,0.1,20.0\n"
    scores = (
        b"threshold,mean_dice,pooled_dice,perfused_flagged_percent\n0.5,0.8,0.7,0.1\n0.6,1,1,\n"
    )
    row = {"step": 200, "loss": 0.1, "dice": 0.2, "seconds": 1.0}
    here = {"last": b""}

    def damaged(random: Random) -> bytes:
        here["last"] = random.choice([settings, curve, scores])
        if here["last"] is settings:
            return json_damaged(settings, random)
        return csv_damaged(here["last"], random)

    def used(content: bytes) -> None:
        name = {settings: "settings.json", curve: "curve.csv", scores: "thresholds.csv"}
        (folder / name[here["last"]]).write_bytes(content)
        if here["last"] is settings:
            require_same_settings(folder, config)
        elif here["last"] is curve:
            training_seconds(folder)
            read_curve(folder)
            write_curve(folder, row)
        else:
            assert 0 < calibration(folder).threshold <= 1

    return Kind(damaged, (used,))
