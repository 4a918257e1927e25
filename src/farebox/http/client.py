"""Owns the names under which the rest of the house uses the vendor client; refuses to hold code of its own."""

from farebox.http.limits import ClientLimits, Timeouts
from farebox.http.origin import Origin
from farebox.http.pool import Pool
from farebox.http.response import Response

__all__ = ["ClientLimits", "Origin", "Pool", "Response", "Timeouts"]
