"""Eyes that read a page the way a browser does."""

from __future__ import annotations

import json
from html.parser import HTMLParser

VOID_ELEMENTS = {"meta", "br", "img", "input", "link"}
CARD_NAMES = (
    "Active customers",
    "New",
    "Gone quiet",
    "Churned",
    "Orders",
    "Revenue",
    "Average order value",
    "Mean health of 100",
    "At high churn risk",
)


class Page(HTMLParser):
    """The elements of a page, the text outside scripts and styles, and the scripts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.styles: list[str] = []
        self.words: list[str] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID_ELEMENTS:
            self._open.append((tag, attributes))
        if tag == "script":
            self.scripts.append((attributes, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        tag = self._open[-1][0] if self._open else ""
        if tag == "script":
            attributes, text = self.scripts.pop()
            self.scripts.append((attributes, text + data))
        elif tag == "style":
            self.styles.append(data)
        elif data.strip():
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return "\n".join(self.words).replace("\u00a0", " ")

    @property
    def figures(self) -> dict[str, dict]:
        return {
            attributes["id"].removesuffix("-figure"): json.loads(text)
            for attributes, text in self.scripts
            if attributes.get("type") == "application/json"
        }

    @property
    def cards(self) -> dict[str, tuple[str, str]]:
        """Key figures: name → (value, change)."""
        cards, part, name, value = {}, "", "", ""
        parts = iter(self.words[self.words.index("Key figures", self.words.index("Data quality")) :])
        for part in parts:
            if part in CARD_NAMES:
                name, value, change = part, next(parts), next(parts)
                cards[name] = (value.replace("\u00a0", " "), change.replace("\u00a0", " "))
            if part == "Who came, who went":
                break
        return cards
