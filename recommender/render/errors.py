"""What a renderer says when it cannot say anything."""

from __future__ import annotations


class NotRenderableError(ValueError):
    """The decision holds nothing that this format can tell. The message has the mend."""
