"""Every block of README and docs/ is run, or read, or says on the page why it cannot be run here."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
import yaml
from doc_pages import PAGES, ROOT, SHELL, UNRUN, Block, blocks, complaint, numen_commands
from doc_run import World, run
from graphql import parse
from websockets.sync.client import connect

from numen.train.recipe import make

BLOCKS = [block for page in PAGES for block in blocks(page)]
# A page takes a core, and a server beside it next to none.
AT_ONCE = 2


def of(*languages: str) -> list[pytest.param]:
    return [pytest.param(each, id=each.id) for each in BLOCKS if each.language in languages]


def runs(page: Path) -> bool:
    return "zh" not in page.parts and any(
        block.language in {"python", *SHELL} and not block.unrun and not block.file
        for block in blocks(page)
    )


RUN = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES if runs(page)]


@pytest.fixture(scope="session")
def ran(
    request: pytest.FixtureRequest, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[None]]]:
    """All pages that are asked for, run two at a time."""
    wanted = {
        item.callspec.params["page"]
        for item in request.session.items
        if getattr(item, "originalname", "") == "test_page_runs"
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            page: pool.submit(run, world, blocks(page), tmp_path_factory.mktemp(page.stem))
            for page in PAGES
            if page in wanted
        }


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_page_runs(page: Path, ran: dict[Path, Future[None]]) -> None:
    ran[page].result()


@pytest.mark.parametrize("block", of("toml"))
def test_recipe_is_read(block: Block) -> None:
    assert make(tomllib.loads(block.text)).family


@pytest.mark.parametrize("block", of("json"))
def test_json_is_read(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", of("yaml", "yml"))
def test_yaml_is_read(block: Block) -> None:
    assert list(yaml.safe_load_all(block.text))


@pytest.mark.parametrize("block", of("graphql"))
def test_graphql_is_read(block: Block) -> None:
    parse(block.text)


@pytest.mark.parametrize("block", of("html"))
def test_html_is_well_formed(block: Block) -> None:
    open_elements: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"meta", "link", "input", "img", "br", "hr"}:
                open_elements.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_elements.pop() == tag

    Reader().feed(block.text)
    assert not open_elements


@pytest.mark.parametrize("block", of("js", "javascript"))
def test_javascript_is_read(block: Block, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    file = tmp_path / "block.mjs"
    file.write_text(block.text)
    read = subprocess.run([node, "--check", file], capture_output=True, text=True)
    assert read.returncode == 0, read.stderr


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.unrun], ids=lambda b: b.id)
def test_what_is_not_run_is_still_read(block: Block) -> None:
    assert block.title not in {why.strip() for why in UNRUN}, "it says why"
    if block.language == "python":
        ast.parse(block.text)
    if block.language in SHELL:
        text = "\n".join(block.commands)
        read = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
        assert read.returncode == 0, read.stderr


REQUESTS = [each for each in BLOCKS if each.request[0]]


@pytest.mark.slow
@pytest.mark.parametrize("block", REQUESTS, ids=lambda block: block.id)
def test_request_is_answered(block: Block, world: World) -> None:
    """What stands below it as `Answer` has no key that the real answer lacks."""
    method, path = block.request
    if method == "WS":
        with connect(world.url.replace("http", "ws") + path) as socket:
            socket.send(block.text.strip())
            answer = json.loads(socket.recv())
    else:
        body = block.text
        if block.language == "graphql":
            body = json.dumps({"query": block.text})
        answered = httpx.post(
            world.url + path, content=body.encode(), headers={"Content-Type": "application/json"}
        )
        answer = answered.json()
        assert answered.status_code == 200, answer
    assert not answer.get("errors")
    assert "error" not in answer
    following = blocks(block.page)[block.number :]
    if following and following[0].title == "Answer":
        said = json.loads(following[0].text)
        assert _form(said) <= _form(answer)


def _form(value: object, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path} | {each for key, v in value.items() for each in _form(v, f"{path}.{key}")}
    if isinstance(value, list):
        return {path} | {each for v in value for each in _form(v, f"{path}[]")}
    return {path}


def test_commands_are_numens() -> None:
    found = [(where, line) for page in PAGES for where, line in numen_commands(page)]
    assert len(found) > 100
    wrong = [f"{where}: {line}: {said}" for where, line in found if (said := complaint(line))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("page", sorted((ROOT / "docs/zh").glob("*.md")), ids=lambda p: p.name)
def test_translation_shows_the_same(page: Path) -> None:
    """So it need not be run again. Lines in its language stand for those in English."""
    own, english = blocks(page), blocks(ROOT / "docs" / page.name)
    for here, there in zip(own, english, strict=True):
        lines = zip(here.text.splitlines(), there.text.splitlines(), strict=True)
        assert all(a == b or not a.isascii() or "lang=" in a for a, b in lines)
        assert (here.language, here.unrun, here.file) == (there.language, there.unrun, there.file)


def test_what_is_no_command_is_found() -> None:
    assert complaint("numen trian digits")
    assert complaint("numen train digits --epochs 3")
    assert complaint("numen serve & numen predict a b c")
    assert not complaint("numen serve digits & numen train x --data y --set a=b")


def test_there_is_something_of_each_kind() -> None:
    for languages in (("python",), ("toml",), ("json",), ("html",), ("graphql",), tuple(SHELL)):
        assert of(*languages)
    assert REQUESTS


def test_every_setting_and_command_is_documented() -> None:
    import msgspec
    from press.reference.command_line import below, tree

    from numen.core.settings import Settings

    text = (ROOT / "docs/interfaces.md").read_text()
    for field in msgspec.structs.fields(Settings):
        assert f"`{field.name}`" in text
    commands = below(tree())
    assert len(commands) >= 8
    for command in commands:
        assert f"numen {command}" in text
