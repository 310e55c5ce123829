"""The report as one HTML file: no script, nothing from elsewhere, every text escaped."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Sequence

from search.compare.show.pictures.canvas import Picture
from search.compare.show.report.blocks import Block, Bullets, Commands, Heading, Image, Lead, Paragraph, Table, Terms, plain
from search.compare.show.report.style import CSS

# A browser that honours it loads and runs nothing, whatever stands in the page.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
INTERVAL = re.compile(r"(\([+-]?[\d.]+ to [+-]?[\d.]+\))")
KINDS = {"shown": "yes", "not shown": "no", "unconfirmed": "open", "not stated": "open"}  # of cells, for their colour


def page(blocks: Sequence[Block]) -> str:
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join(_block(block) for block in blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def escaped(text: str) -> str:
    return html.escape(plain(text))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{escaped(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{escaped(text)}</p>"
        case Lead(text):
            return f'<p class="lead">{escaped(text)}</p>'
        case Bullets(items):
            return "<ul>\n" + "\n".join(f"<li>{escaped(item)}</li>" for item in items) + "\n</ul>"
        case Table():
            return _table(block)
        case Image(picture):
            return _figure(picture)
        case Commands(lines):
            return "<pre><code>" + "\n".join(escaped(line) for line in lines) + "</code></pre>"
        case Terms(items):
            entries = (f"<dt>{escaped(term)}</dt><dd>{escaped(meaning)}</dd>" for term, meaning in items)
            return "<dl>\n" + "\n".join(entries) + "\n</dl>"


def _table(block: Table) -> str:
    head = "".join(f'<th scope="col">{escaped(column)}</th>' for column in block.columns)
    rows = "\n".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in block.rows)
    return (
        f'<div class="wide" tabindex="0"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'
    )


def _cell(cell: str) -> str:
    """An interval stays in one line."""
    kind = KINDS.get(cell)
    text = INTERVAL.sub(r'<span class="interval">\1</span>', escaped(cell))
    return f"<td>{text}</td>" if kind is None else f'<td class="{kind}">{text}</td>'


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.svg).decode("ascii")
    return (
        f'<figure><img alt="{escaped(picture.alt)}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{escaped(picture.caption)}</figcaption></figure>"
    )
