"""Owns the benchmark: Farebox beside a plain proxy and another gateway, in one interleaved run; refuses hosts but loopback."""
