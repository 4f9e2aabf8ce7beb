"""Runs several `notifier` commands one after the other in one process, beside the service."""

import sys

from notifier.cli import app

BETWEEN = "then"


def run_commands(words: list[str]) -> None:
    """Run the commands that the words spell, parted by `then`; the first that fails ends them all."""
    command: list[str] = []
    for word in [*words, BETWEEN]:
        if word != BETWEEN:
            command.append(word)
            continue
        code = app(command, standalone_mode=False)
        if code:
            sys.exit(code)
        command = []


if __name__ == "__main__":
    run_commands(sys.argv[1:])
