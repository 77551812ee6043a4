"""The command `nearsense`: what is typed becomes a call of a verb. Nothing is computed here.

Exit codes: 0 fine; 1 findings (for commands that look for them); 2 wrong use or bad input; 70 a fault of nearsense
itself; 130 interrupted.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import click

from nearsense._version import __version__
from nearsense.cli import demo, encode, find, models, texts
from nearsense.encoders import TruncationWarning
from nearsense.errors import NearsenseError, TextTooLong

__all__ = ["cli", "main"]

BAD_INPUT, INTERNAL, INTERRUPTED = 2, 70, 130

FIXES: dict[type[NearsenseError], str] = {
    TextTooLong: "--long chunk reads all of each text, --long head its head only"
}
"""What to type here where the library says what to write."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="nearsense")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; may stand anywhere.")
def cli(debug: bool) -> None:
    """Find texts that are near in sense.

    \b
    Start here:
      nearsense demo                                   see it work on real text
      nearsense compare "It rains." "Rain is falling."
      nearsense search tickets.csv "my screen freezes"
    """


for command in (*texts.COMMANDS, *find.COMMANDS, *encode.COMMANDS, *models.COMMANDS, *demo.COMMANDS):
    cli.add_command(command)


def main() -> None:
    """Run the command; errors become three lines and an exit code."""
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", TruncationWarning)
    words = sys.argv[1:]
    options = words[: words.index("--")] if "--" in words else words
    debug = "--debug" in options
    try:
        rest = words[len(options) :]
        sys.exit(cli.main([word for word in options if word != "--debug"] + rest, standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(BAD_INPUT)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except NearsenseError as error:
        if debug:
            raise
        _say("error", error.what, error.why, FIXES.get(type(error), error.fix))
        sys.exit(BAD_INPUT)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted", "nothing half written is left")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _close_quietly()
    except MemoryError:
        if debug:
            raise
        _say(
            "error",
            "out of memory",
            "the work needs more than this machine has free",
            "give fewer texts at a time",
        )
        sys.exit(BAD_INPUT)
    except Exception as error:
        if debug:
            raise
        _say(
            "error",
            f"{type(error).__name__}: {error}",
            "this is a fault of nearsense, not of your input",
            "run it again with --debug and report what it prints",
        )
        sys.exit(INTERNAL)


def _say(kind: str, what: str, why: str = "", fix: str = "") -> None:
    """What happened, why, and what to type: a line each, on stderr."""
    lines = [f"{kind}: {_line(what)}"]
    lines += [f"  {name}: {_line(line)}" for name, line in (("why", why), ("fix", fix)) if line]
    sys.stderr.write("".join(f"{line}\n" for line in lines))


def _line(text: str) -> str:
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode()


def _show_warning(message: Warning | str, category: type[Warning], *_where: Any, **_options: Any) -> None:
    _say(
        "warning", str(message), fix="--long chunk reads all of each text" if category is TruncationWarning else ""
    )


def _close_quietly() -> None:
    """The reader of our output went away (`| head`): that is no error."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)
