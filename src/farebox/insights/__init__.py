"""Generations and what they say together. Refuses the critical path."""
