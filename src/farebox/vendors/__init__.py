"""Technical descriptions of vendors' APIs as data, named quirks, authentication. Refuses protocol code."""
