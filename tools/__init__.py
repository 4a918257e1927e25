"""Owns the checkout's own helpers (generated pages, first-start check); refuses being imported by the product."""
