"""An experiment as one self-contained page: its table, its text, its curves."""

import base64
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} – Tauten experiment</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .8rem; white-space: nowrap; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #8885; text-align: right; }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; background: #fff; margin: 1rem 0; }
</style></head><body>
<h1>{{ title }}</h1>
<div class="wide"><table>
<thead><tr>{% for cell in rows[0] %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in rows[1:] %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody>
</table></div>
{% for part in text %}<p>{{ part }}</p>
{% endfor %}
{% for name, image in images %}<img src="{{ image }}" alt="{{ name }}">
{% endfor %}
</body></html>
"""


def page(title: str, markdown: str, images: Sequence[Path]) -> str:
    """HTML of a Markdown text that holds one table and paragraphs, with the pictures inside; all text is escaped.

    >>> "<td>2</td>" in page("t", "| a |\\n|---|\\n| 2 |\\n\\nSeen.", [])
    True
    """
    lines = markdown.splitlines()
    table = [line.strip("|").split("|") for line in lines if line.startswith("|") and not line.startswith("|---")]
    text = [line.replace("*", "") for line in lines if line and not line.startswith("|")]
    kinds = {".png": "png", ".svg": "svg+xml"}
    inside = [
        (p.stem, f"data:image/{kinds[p.suffix]};base64," + base64.b64encode(p.read_bytes()).decode()) for p in images
    ]
    rows = [[cell.strip() for cell in row] for row in table]
    return Environment(autoescape=True).from_string(PAGE).render(title=title, rows=rows, text=text, images=inside)
