"""Generations and what they say together. Refuses the critical path: nothing waits for it."""
