"""Runs several `notifier` commands one after the other in one process, beside the service."""

import sys

from notifier.cli import app

BETWEEN = "then"


def run_commands(words: list[str]) -> None:
    """Run the commands that the words spell, parted by `then`."""
    command: list[str] = []
    for word in [*words, BETWEEN]:
        if word != BETWEEN:
            command.append(word)
            continue
        app(command, standalone_mode=False)
        command = []


if __name__ == "__main__":
    run_commands(sys.argv[1:])
