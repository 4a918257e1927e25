"""Helpers that several dialects share: readers, effort words, think tags, vendor errors. Refuses a protocol's own shapes."""
