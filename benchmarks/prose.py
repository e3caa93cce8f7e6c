"""Paragraphs of pages."""

from __future__ import annotations

import textwrap


def filled(paragraph: str) -> str:
    """A paragraph in lines of under 120 characters, and an empty line behind it; words and links stay whole."""
    return textwrap.fill(paragraph, 119, break_long_words=False, break_on_hyphens=False) + "\n"
