"""The canonical conversation: pure values that every dialect decodes to and encodes from.

Refuses IO and everything but the standard library and msgspec. The form is internal: it never appears on a wire.
"""
