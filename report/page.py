"""The review page: published tables in, one self-contained HTML text out.

The page loads nothing: style, script and Plotly stand in it, and its content security policy forbids every
request and every script but the two whose hashes it names. Equal input gives an equal page.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from report.churn import churn_section
from report.cohorts import cohorts_section
from report.content import Section
from report.health import health_section
from report.overview import account_section, key_figures_section, trend_section
from report.segments import segments_section
from report.tables import ReviewHeader, ReviewTables, check_week
from report.trust import models_section, quality_section
from report.value import value_section
from report.wording import week_span
from report.working_lists import working_lists_section

__all__ = ["ReviewHeader", "ReviewTables", "render_page"]

TEMPLATE = "page.html.jinja"
SCRIPT = "page.js"


def render_page(header: ReviewHeader, tables: ReviewTables) -> str:
    """The page of one reviewed week as HTML text.

    Everything a customer or an operator may have written (ids, names, reasons, messages) is escaped, in the
    page and in the charts. A kind of data that a workspace lacks becomes a sentence that says so. Raises
    ValueError where `customers` are of another week than `header.review_week`. Time: about a second for
    100,000 customers; size: about 5 MB, nearly all of it Plotly.
    """
    check_week(header, tables)
    environment = _environment()
    script = environment.get_template(SCRIPT).render()
    plotly_script = get_plotlyjs()
    return environment.get_template(TEMPLATE).render(
        header=header,
        week=week_span(header.review_week),
        sections=_sections(header, tables),
        script=script,
        plotly_script=plotly_script,
        script_hashes=[_source_hash(text) for text in (plotly_script, script)],
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _sections(header: ReviewHeader, tables: ReviewTables) -> list[Section]:
    return [
        build(header, tables)
        for build in (
            key_figures_section,
            account_section,
            trend_section,
            cohorts_section,
            segments_section,
            value_section,
            churn_section,
            health_section,
            working_lists_section,
            models_section,
            quality_section,
        )
    ]


def _source_hash(script: str) -> str:
    """The hash by which a content security policy allows one inline script (W3C CSP Level 3, 2.3.1)."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
