"""What a learner says when the rows it was given are too few to learn from."""

from __future__ import annotations


class NotEnoughHistory(ValueError):  # noqa: N818 - it names what is the matter, as StopIteration does
    """There is too little to learn from. The message is a clause for people, to stand behind "… : "."""
