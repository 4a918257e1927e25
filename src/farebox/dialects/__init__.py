"""Wire protocols as sans-IO codecs, both directions. Refuses IO, vendors and prices."""
