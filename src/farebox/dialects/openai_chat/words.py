"""Finish reasons and reasoning field names of chat completions, in and out. Refuses everything else."""

FINISH = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
    "function_call": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "done": "stop",
    "insufficient_system_resource": "error",
    "network_error": "error",
    "abort": "error",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "max_output_tokens": "length",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "refusal": "content_filter",
    "recitation": "content_filter",
    "malformed_function_call": "error",
}

REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_text")


def finish_word(native: str, has_calls: bool) -> str:
    """The common word for a vendor's; calls present means `tool_calls`, since some vendors say `stop` or nothing."""
    word = FINISH.get(native.lower(), "stop") if native else "stop"
    return "tool_calls" if has_calls and word == "stop" else word
