"""What the SDK tests say and show: messages, tools, a picture, a sound."""

import base64

WEATHER = "get_weather"
PNG_URL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
JPEG_URL = "https://example.com/bus.jpg"
WAV = base64.b64encode(b"RIFF").decode()


def say(content: object) -> list[dict]:
    """A conversation of one turn."""
    return [{"role": "user", "content": content}]


def _tool(name: str, **properties: str) -> dict:
    parameters = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "strict": True, "parameters": parameters}}


def weather_tool() -> dict:
    return _tool(WEATHER, city="string", days="integer")


def clock_tool() -> dict:
    return _tool("read_clock", place="string")
