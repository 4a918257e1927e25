"""One file a version, named by number. Refuses edits to a version that was released."""
