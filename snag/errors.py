"""Failures that a person is told about: the text names the thing, the cause and the fix."""

from __future__ import annotations


class SnagError(Exception):
    """Something asked for could not be done."""


class PartUnreachable(SnagError):
    """A part of the stack does not answer at its address: most likely nothing is running."""
