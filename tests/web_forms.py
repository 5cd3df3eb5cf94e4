"""Sending the forms of the portal's pages as a browser does; for tests."""

import html
import re

# What browsers say of a form on the site itself.
SAME = {"Sec-Fetch-Site": "same-origin"}


def field(page: str, name: str = "form_token") -> str:
    """Read a hidden field of the form on a page."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, page
    return html.unescape(found[1])
