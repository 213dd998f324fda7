"""The report in a real browser."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tauten.report import render

CHROMIUM = shutil.which("chromium")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_real_browser_shows_it_on_a_phone_and_fetches_nothing(hostile: dict[str, Any], tmp_path: Path) -> None:
    """The report in a frame of 400 px, measured from outside, because its own policy lets no script run."""
    page = html.escape(render(hostile))
    measure = """f.onload = () => {
        const d = f.contentDocument, fetched = f.contentWindow.performance.getEntriesByType("resource");
        document.title = JSON.stringify({
            width: d.documentElement.scrollWidth, title: d.title, images: d.images.length,
            broken: [...d.images].filter(i => !i.naturalWidth).length,
            fetched: fetched.map(e => e.name).filter(n => !n.startsWith("data:")),
        });
    }"""
    (tmp_path / "phone.html").write_text(
        f'<title></title><iframe id="f" width="400" height="900" srcdoc="{page}"></iframe><script>{measure}</script>',
        encoding="utf-8",
    )
    dom, log = browse(tmp_path, "phone.html")
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title is not None
    seen = json.loads(html.unescape(title[1]))
    assert seen.pop("width") <= 400
    assert seen.pop("title").endswith("Tauten report")
    assert seen == {"images": 7, "broken": 0, "fetched": []}
    assert "CONSOLE" not in log


def browse(folder: Path, name: str) -> tuple[str, str]:
    """What Chromium makes of a page: the DOM after its scripts, and its log with the console's messages."""
    assert CHROMIUM
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=5000", "--dump-dom", (folder / name).as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr
