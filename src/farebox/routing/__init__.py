"""Eligibility, order, shares and fallback chains: a pure function from values to a plan with reasons. Refuses IO and clocks."""
