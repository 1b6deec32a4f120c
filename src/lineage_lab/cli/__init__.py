"""The command ``lineage-lab``: the package's functions from a terminal.

Results go to stdout, progress and messages to stderr. Exit codes: 0 for a finished run, 1 where
a check found something, 2 for a mistake that the message explains (no traceback; ``--debug``
shows it), 130 for Ctrl-C, 143 for SIGTERM. torch is imported when a command needs it, so that
``--help`` is quick. The commands: `lineage_lab.cli.looking`, `lineage_lab.cli.training`,
`lineage_lab.cli.using`.
"""

import codecs
import gc
import io
import logging
import os
import shlex
import signal
import sys
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import click

from lineage_lab import __version__
from lineage_lab.cli import looking, training, using
from lineage_lab.cli.exit_codes import EXIT_CODES
from lineage_lab.files import drop_partial_files, written

__all__ = ["main"]

PLAIN = {"±": "+/-", "×": "x", "–": "-", "—": "-", "…": "...", "·": "*", "“": '"', "”": '"',
         "‘": "'", "’": "'", "→": "->", "≤": "<=", "≥": ">=", "─": "-", "²": "2"}  # fmt: skip


def main() -> None:
    """Run the command line; never shows a traceback for a user's mistake."""
    # torch makes 330,000 objects. At Python's 700 they are searched for garbage over and over.
    gc.set_threshold(10_000)
    debug = "--debug" in sys.argv
    _plain_where_needed()
    signal.signal(signal.SIGINT, _interrupt)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("lineage_lab").setLevel(logging.INFO)
    try:
        code = cli(standalone_mode=False)  # which gives what a command's `Exit` holds
    except (KeyboardInterrupt, click.Abort):
        _leave(_interrupted())
    except (BrokenPipeError, SystemExit):
        # What reads the output has closed it: Click and Rich then leave with SystemExit, which
        # the commands themselves never raise.
        os._exit(141)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        if number := getattr(error, "signal", 0):  # training.loop.Interrupted
            # The run is saved: a further Ctrl-C while Python ends must not change the exit code.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            click.echo(f"\n{error}\nTo go on:\n  {_again()}", err=True)
            sys.exit(128 + number)
        if debug:
            raise
        words = str(error)
        if isinstance(error, OSError) and error.filename and error.strerror:
            words = f"{error.filename}: {error.strerror}"
        click.echo(f"Error: {words}", err=True)
        if hasattr(error, "url"):  # WeightsUnavailable
            click.echo(
                "  To go on without pretrained weights: --random-weights "
                "(it learns from nothing, and the results say so)",
                err=True,
            )
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first Ctrl-C stops what runs, a second one ends the process at once."""
    signal.signal(signal.SIGINT, lambda *_: _leave(_interrupted()))
    raise KeyboardInterrupt


def _leave(words: str) -> NoReturn:
    """The end of the process, with no file half written."""
    drop_partial_files()
    with suppress(OSError):
        os.write(2, f"\n{words}\n".encode())
    os._exit(130)


def _interrupted() -> str:
    """What an interrupted command leaves behind, in words."""
    cache = sys.modules.get("lineage_lab.data.cache")  # what it keeps is no result
    results = [p for p in written() if not cache or not p.is_relative_to(cache.folder())]
    if not results:
        return "interrupted: nothing was written"
    names = ", ".join(str(path) for path in results[-3:])
    return f"interrupted: written so far, and whole: {names}{', …' * (len(results) > 3)}"


def _plain_where_needed() -> None:
    """An output that can't show a character gets ``+/-`` for ±, and ? where nothing is like it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _like(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in text), error.end


codecs.register_error("plain", _like)


def _again() -> str:
    """This very command, with ``--resume``."""
    words = [word for word in sys.argv[1:] if word != "--resume"]
    return shlex.join(["lineage-lab", *words, "--resume"])


def _exit_codes() -> str:
    """For ``--help``: the ledger's words, a line each."""
    width = max(len(str(code)) for code in EXIT_CODES)
    lines = [f"{code:>{width}}  {words}" for code, words in EXIT_CODES.items()]
    return "\b\nExit codes:\n" + "\n".join(lines)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_exit_codes())
@click.version_option(__version__, prog_name="lineage-lab")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """The networks from LeNet-5 to ViT: take them apart, fine-tune them, compare them."""


for command in (
    looking.models,
    looking.describe,
    looking.data,
    training.compare,
    training.finetune,
    training.probe,
    training.find_rate,
    using.predict,
    using.evaluate,
    using.embed,
    using.export,
    looking.doctor,
    looking.show,
):
    cli.add_command(command)
