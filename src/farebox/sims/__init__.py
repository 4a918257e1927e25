"""Scripted vendors that behave on command: independent witnesses. Imports nothing of the codecs they test."""
