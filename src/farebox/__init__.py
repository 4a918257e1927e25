"""Farebox: an open marketplace for language models."""

__version__ = "0.1.0"
