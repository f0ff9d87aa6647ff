"""From a command to a process: exit codes and one-line errors."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Sequence

import click

from edge_asr.errors import EdgeAsrError
from edge_asr.terminal.import_path import leave_out_working_folder
from edge_asr.terminal.quiet import quiet_libraries
from edge_asr.terminal.screen import message as show_message
from edge_asr.terminal.screen import wants_plain_text
from edge_asr.terminal.signals import exit_code, signal_of
from edge_asr.terminal.standard_streams import sturdy_streams

DONE = 0
FAILED = 1
MISUSED = 2
PIPE_CLOSED = 141  # 128 + SIGPIPE, as shells count


def run(command: click.Command, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a click command. Whatever goes wrong becomes one line on stderr and an exit code, which is returned."""
    leave_out_working_folder()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(sturdy_streams())
        except EdgeAsrError as error:
            return say(name, str(error))
        stack.enter_context(quiet_libraries(enabled=not verbose()))
        return run_guarded(command, name, arguments)


def run_guarded(command: click.Command, name: str, arguments: Sequence[str] | None) -> int:
    try:
        code = command.main(
            args=list(sys.argv[1:] if arguments is None else arguments),
            prog_name=name,
            standalone_mode=False,
            color=False if wants_plain_text() else None,
        )
        sys.stdout.flush()
    except click.ClickException as error:
        return say(name_of(error, name), message_of(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        return exit_code(signal_of(error.__cause__ or error))
    except EdgeAsrError as error:
        return say(name, str(error))
    except BrokenPipeError:
        return close_pipe()
    except OSError as error:
        return close_pipe() if error.errno == errno.EPIPE else say(name, describe(error))
    except SystemExit as error:
        # click leaves so from shell completion (0) and from a closed pipe (1)
        return close_pipe() if error.code == 1 else DONE
    except MemoryError:
        return say(name, "out of memory")
    except Exception as error:
        if verbose():
            traceback.print_exc()
        kind = type(error).__name__
        return say(name, f"internal error: {kind}: {error} (EDGE_ASR_VERBOSE=1 shows where; please report it)")
    return code if isinstance(code, int) else DONE


def verbose() -> bool:
    return os.environ.get("EDGE_ASR_VERBOSE", "") not in ("", "0")


def say(name: str, message: str, code: int = FAILED) -> int:
    """Print one line on stderr, however many the message has; returns the exit code."""
    show_message(f"{name}: {message}")
    return code


def describe(error: OSError) -> str:
    """`No space left on device: /tmp/model.pte`: what the system says and of which file."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{reason}: {error.filename}" if error.filename else reason


def name_of(error: click.ClickException, name: str) -> str:
    """The command that was misused: `edge-asr export`."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return context.command_path if context else name


def message_of(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message} (see {context.command_path} --help)" if context else message


def close_pipe() -> int:
    """The reader of stdout has gone: whatever is still buffered goes nowhere, without a complaint at exit."""
    with contextlib.suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
    return PIPE_CLOSED
