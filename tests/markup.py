"""Reading a page the way a browser does: which elements could run something that is not ours."""

from html.parser import HTMLParser

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</textarea></title><svg onload=alert(1)>",
    '<hx-partial hx-target="body">gone</hx-partial>',
    '<a href="javascript:alert(1)">x</a>',
    "{{ 7|add:7 }}{% now 'Y' %}",
    "\u202etxt.exe",
]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "script" and not values.get("src", "").startswith("/static/"):
            self.found.append("script without a file of ours")
        if tag in {"iframe", "object", "embed", "base", "style"}:
            self.found.append(tag)
        for name, value in values.items():
            if name.startswith(("on", "hx-on")) or name == "style":
                self.found.append(f"{tag} {name}")
            if name in {"href", "src", "action"} and value.strip().lower().startswith(("javascript:", "data:")):
                self.found.append(f"{tag} {name}={value}")


def dangers(html: str) -> list[str]:
    """What on the page a strict content security policy would have to stop; empty when all text is inert."""
    reader = _Reader()
    reader.feed(html)
    return reader.found
