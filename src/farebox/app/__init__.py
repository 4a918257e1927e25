"""The composition root: builds every object and passes it down; supervisor and process entry points."""
