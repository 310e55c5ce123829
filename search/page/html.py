"""A page from Markdown, as one HTML file: no script, nothing from elsewhere, every text escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from search.page import text
from search.page.canvas import Picture
from search.page.markdown import picture_file

CLASSES = {  # of cells, by how they begin, for their color
    **dict.fromkeys(("shown", "yes, shown", "beyond luck"), "yes"),
    **dict.fromkeys(("not shown", "within noise", "no improvement"), "no"),
    **dict.fromkeys(("a loss is shown", "unconfirmed", "not known", "together beyond luck"), "open"),
}
SHORT = 10  # letters of a cell that is never broken
FOLD, UNFOLD = "<details>\n<summary>", "</details>\n"
LINES = {"+": "ins", "-": "del"}  # of a diff, and their tags


def html_of(report: str, title: str, pictures: Sequence[Picture]) -> str:
    """The Markdown as a page that has its pictures inside. A browser that honors its policy loads and runs nothing.
    Headings of the third level are folded, with what stands below them."""
    markdown = MarkdownIt("js-default").disable(["link", "autolink", "reference", "html_block", "html_inline"])
    for rule in (table_open, table_close, image, fence):
        markdown.add_render_rule(rule.__name__, rule)
    shown = {picture_file(picture.name): picture for picture in pictures}
    body = markdown.renderer.render(list(_folded(_labelled(markdown.parse(report)))), markdown.options, {"pictures": shown})
    page = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True).get_template("page.html.j2")
    return page.render(title=text.plain(title), body=body)


def table_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A wide table scrolls by itself."""
    return '<div class="wide"><table>\n'


def table_close(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


def image(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
    """Only pictures of ours are shown."""
    svg = base64.b64encode(env["pictures"][tokens[at].attrs["src"]].svg).decode("ascii")
    tokens[at].attrs["src"] = f"data:image/svg+xml;base64,{svg}"
    return RendererHTML.image(self, tokens, at, options, {})


def fence(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """Added and removed lines of a diff are marked."""
    lines = tokens[at].content.splitlines()
    tags = [LINES.get(line[:1], "span") if tokens[at].info == "diff" else "span" for line in lines]
    marked = (f"<{tag}>{html.escape(line)}</{tag}>" for tag, line in zip(tags, lines, strict=True))
    return "<pre><code>" + "\n".join(marked) + "</code></pre>\n"


def _labelled(tokens: Sequence[Token]) -> Iterator[Token]:
    """Cells that know their column's name, for narrow screens, and their verdict's color."""
    columns: list[str] = []
    place = 0
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "thead_open":
            columns = []
        elif token.type == "tr_open":
            place = 0
        elif token.type == "th_open" and following is not None:
            columns.append(following.content)
        elif token.type == "td_open" and following is not None:
            token.attrs = {"data-column": columns[place]}
            kind = CLASSES.get(following.content.partition(":")[0].rstrip(".").lower().removeprefix("no, "))
            token.attrs.update({} if kind is None else {"class": kind})
            token.attrs.update({"data-short": ""} if len(following.content) <= SHORT else {})
            place += 1
        yield token


def _folded(tokens: Iterable[Token]) -> Iterator[Token]:
    is_open = False
    for token in tokens:
        if token.type == "heading_open" and is_open:
            yield Token("html_block", "", 0, content=UNFOLD)
        if token.type == "heading_open":
            is_open = token.tag == "h3"
        folds = token.tag == "h3" and token.type in ("heading_open", "heading_close")
        yield Token("html_block", "", 0, content=FOLD if token.nesting > 0 else "</summary>\n") if folds else token
    if is_open:
        yield Token("html_block", "", 0, content=UNFOLD)
