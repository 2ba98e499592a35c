"""`napari-npa batch` in a process that can be killed, started without importing torch again."""

import multiprocessing
import sys
from multiprocessing.process import BaseProcess

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["torch", "napari_npa.cli.main", "napari_npa.batch.run"])


def started(*arguments: object) -> BaseProcess:
    process = _processes.Process(target=_main, args=(["batch", *map(str, arguments)],))
    process.start()
    return process


def _main(arguments: list[str]) -> None:
    import torch

    from napari_npa.cli.main import main

    torch.set_num_threads(1)
    sys.argv = ["napari-npa", *arguments]
    main()
