"""What stands in the pages: their blocks, and the commands in them, held to the real command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from press.reference.command_line import below, is_group, tree

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if "decisions" not in page.parts),
]
# What a block that cannot be run here says, above it on the site, with the reason behind it.
UNRUN = ("Not run by the tests: ", "测试不运行：")
SHELL = {"console", "bash", "sh"}
# README is the founder's page; what of it is not run is told apart here.
README_UNRUN = {
    1: "make is what runs this",
    5: "the pages on pictures, tables, sounds and texts do the same",
}
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)(?P<said>[^\n]*)\n(?P<text>.*?)^ *```", re.M | re.S
)
_TITLE = re.compile(r'title="([^"]*)"')
_SPAN = re.compile(r"(?<!`)`(numen [^`\n]+)`(?!`)")
_OPERATORS = {"|", "&", "&&", "||", ";", ">", "<", "2>&1"}


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Where it stands.
        number: Which of the page's, from 1.
        language: What stands behind its fence.
        title: What the site shows above it: a file's name, a request, or why it is not run.
        text: What is in it.
    """

    page: Path
    number: int
    language: str
    title: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.number}"

    @property
    def unrun(self) -> bool:
        here = self.page.name == "README.md" and self.number in README_UNRUN
        return here or self.title.startswith(UNRUN)

    @property
    def file(self) -> str:
        """The name of the file that it is, if it is one."""
        return self.title if re.fullmatch(r"[\w./-]+\.\w+", self.title) else ""

    @property
    def request(self) -> tuple[str, str]:
        """Method and path, if it is the body of a request."""
        found = re.fullmatch(r"(POST|WS) (/\S+)", self.title)
        return (found[1], found[2]) if found else ("", "")

    @cached_property
    def steps(self) -> list[tuple[str, str]]:
        """The shell's commands, those that go on made one, each with what the page shows it say."""
        lines = self.text.splitlines()
        prompted = any(line.startswith("$ ") for line in lines)
        found: list[list[str]] = []
        more = False
        for line in lines:
            if more:
                found[-1][0] += f"\n{line}"
            elif not prompted or line.startswith("$ "):
                found.append([line.removeprefix("$ "), ""])
            else:
                found[-1][1] += f"{line}\n"
                continue
            more = line.endswith("\\")
        return [(c, said) for c, said in found if c.strip() and not c.startswith("#")]

    @property
    def commands(self) -> list[str]:
        """The shell's commands."""
        return [command for command, _ in self.steps]


def blocks(page: Path) -> list[Block]:
    """A page's blocks, in order."""
    found = []
    for number, match in enumerate(_FENCE.finditer(page.read_text()), 1):
        title = _TITLE.search(match["said"])
        indent = match["indent"]
        text = re.sub(rf"^{indent}", "", match["text"], flags=re.M)
        found.append(Block(page, number, match["language"], title[1] if title else "", text))
    return found


def numen_commands(page: Path) -> Iterator[tuple[str, str]]:
    """Every `numen …` on the page, in blocks and in running text, with where it stands."""
    for block in blocks(page):
        lines = (
            block.commands
            if block.language in SHELL
            else block.text.replace("\\\n", "").splitlines()
        )
        for line in lines:
            if re.search(r"(^|\s)numen ", line) and (
                block.language in SHELL or line.startswith("numen ")
            ):
                yield block.id, line
    prose = _FENCE.sub("", page.read_text())
    for span in _SPAN.findall(prose):
        yield str(page.relative_to(ROOT)), span


def complaint(line: str) -> str:
    """What is wrong with a line's `numen` command; nothing where it is right."""
    try:
        words = shlex.split(line.replace("\\|", "|"), comments=True)
    except ValueError as error:
        return str(error)
    while "numen" in words:
        words = words[words.index("numen") + 1 :]
        end = next((at for at, word in enumerate(words) if word in _OPERATORS), len(words))
        if said := _complaint(words[:end]):
            return said
        words = words[end:]
    return ""


def _complaint(words: list[str]) -> str:
    command = tree()
    while is_group(command) and words and not words[0].startswith("-"):
        known = below(command)
        for name in words[0].split("|"):
            if known and name.strip("….") and name not in known:
                return f"no command {name!r}"
        if name not in known:
            return ""
        command, words = known[name], words[1:]
    options = {name: p for p in command.params for name in (*p.opts, *p.secondary_opts)}
    options |= dict.fromkeys(("--help", "-h", "--install-completion", "--show-completion"))
    given = 0
    following = iter(words)
    for word in following:
        name = word.strip("[],…|").partition("=")[0]
        if not name.startswith("-") or name == "-":
            given += bool(name)
            continue
        if name not in options:
            return f"{command.name} has no option {name}"
        option: Any = options[name]
        if option is not None and not option.is_flag and "=" not in word:
            next(following, None)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    most = 99 if any(p.nargs == -1 for p in arguments) else len(arguments)
    return f"{command.name} takes {most} arguments, not {given}" if given > most else ""
