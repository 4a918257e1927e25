"""Schema versions, expand then contract: a new release runs on the old schema's data, an old one on the expanded schema."""
