"""Tells people by e-mail when a clinical study they follow changes."""

__version__ = "0.1.0"
