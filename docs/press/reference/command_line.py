"""The command line: from Typer's own tree of commands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import typer

from numen.cli.app import app
from press.reference.code import one_line

_HEAD = """# Command line

Every command and all it takes. `--json` is on each that prints a result, `--install-completion`
sets up the Tab key. Written from the code.
"""


def write() -> str:
    """The page."""
    return "\n\n".join([_HEAD, *_group("numen", tree())]) + "\n"


def below(group: Any) -> dict[str, Any]:
    """A group's commands by name; those of plug-ins that are not installed are left out."""
    found = {}
    with typer.Context(group) as context:
        for name in group.list_commands(context):
            with contextlib.suppress(ImportError):
                found[name] = group.get_command(context, name)
    return found


def is_group(command: Any) -> bool:
    """Whether there are commands below it."""
    return hasattr(command, "list_commands")


@cache
def tree() -> Any:
    """The root of the commands."""
    return typer.main.get_command(app)


def _group(words: str, group: Any) -> Iterator[str]:
    for name, command in below(group).items():
        full = f"{words} {name}"
        if is_group(command):
            yield f"## `{full}`\n\n{command.help or ''}"
            yield from _group(full, command)
        else:
            yield from _command(full, command)


def _command(words: str, command: Any) -> Iterator[str]:
    depth = "##" if words.count(" ") == 1 else "###"
    yield f"{depth} `{words}`"
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join([words, *map(_usage, arguments), *(["[OPTIONS]"] if options else [])])
    yield f"```text\n{usage}\n```"
    yield (command.help or "").replace("\b", "").strip()
    if arguments:
        yield "| Argument | What |\n|---|---|\n" + "\n".join(
            f"| `{(p.metavar or p.name).upper()}` | {one_line(p.help or '')} |" for p in arguments
        )
    if options:
        yield "| Option | Default | What |\n|---|---|---|\n" + "\n".join(map(_option, options))


def _usage(parameter: Any) -> str:
    name = (parameter.metavar or parameter.name).upper()
    name += "…" if parameter.nargs == -1 else ""
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    default = parameter.default
    shown = default not in (None, "", False, ()) and not callable(default)
    return f"| {names} | {f'`{default}`' if shown else ''} | {one_line(parameter.help or '')} |"
