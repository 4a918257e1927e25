"""The faults that vendors have, one module a family, one table over all (`catalogue`). Refuses to decide when to play them."""
