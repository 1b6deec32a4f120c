"""The command ``lineage-lab``: the package's functions from a terminal.

Results go to stdout, progress and messages to stderr. Exit codes: 0 for a finished run, 1 where
a check found something, 2 for a mistake that the message explains (no traceback; ``--debug``
shows it), 130 for Ctrl-C, 143 for SIGTERM. torch is imported when a command needs it, so that
``--help`` is quick. The commands: `lineage_lab.cli.looking`, `lineage_lab.cli.training`,
`lineage_lab.cli.using`.
"""

import gc
import logging
import shlex
import sys

import click

from lineage_lab import __version__
from lineage_lab.cli import looking, training, using
from lineage_lab.cli.exit_codes import EXIT_CODES

__all__ = ["main"]


def main() -> None:
    """Run the command line; never shows a traceback for a user's mistake."""
    # torch makes 330,000 objects. At Python's 700 they are searched for garbage over and over.
    gc.set_threshold(10_000)
    debug = "--debug" in sys.argv
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("lineage_lab").setLevel(logging.INFO)
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted: nothing was written", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        if number := getattr(error, "signal", 0):  # finetuning.Interrupted
            click.echo(f"\n{error}\nTo go on:\n  {_again()}", err=True)
            sys.exit(128 + number)
        if debug:
            raise
        click.echo(f"Error: {error}", err=True)
        if hasattr(error, "url"):  # WeightsUnavailable
            click.echo(
                "  To go on without pretrained weights: --random-weights "
                "(it learns from nothing, and the results say so)",
                err=True,
            )
        sys.exit(2)


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
    training.find_rate,
    using.predict,
    using.embed,
    using.export,
    looking.doctor,
    looking.show,
):
    cli.add_command(command)
