"""Runs commands of ours in a process of its own, and reports what reaches beyond it.

Python tells its audit hooks of each connection and of each program that is started, whoever asks
for them. Arguments: a JSON list of commands, each a list of words.
"""

import json
import sys

FOREIGN = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.fork",
    "os.forkpty",
)

SYSTEM = ("/sbin/ldconfig", "uname")
"""By which Python's own library finds libraries and names the processor, for PyTorch and `info`."""

seen: list[str] = []


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if event in FOREIGN and arguments[0] not in SYSTEM:
        seen.append(f"{event} {arguments!r}"[:300])


def main() -> None:
    sys.addaudithook(watch)
    from typer.testing import CliRunner

    from napari_npa.cli.main import app

    for words in json.loads(sys.argv[1]):
        ended = CliRunner().invoke(app, words)
        if ended.exit_code:
            seen.append(f"{words[0]} ended with {ended.exit_code}: {ended.output[-500:]}")
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
