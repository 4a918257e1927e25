"""What a start tells the person at the terminal: where the house is, what is live, the key, three lines to copy.

Refuses to print anything itself: functions of values to text.
"""

from msgspec import Struct

KEY_ELSEWHERE = "was shown when this home was founded; `farebox keys create` makes another"


class Notice(Struct, frozen=True, kw_only=True):
    """The facts of a running house."""

    url: str
    home: str
    owner_key: str | None
    live: tuple[str, ...]
    models: int
    example_model: str
    kind: str = "vendors"
    advice: tuple[str, ...] = ()
    seconds: float = 0.0
    workers: int = 1


def ready(notice: Notice) -> str:
    """The whole text of a start."""
    key = notice.owner_key or "$FAREBOX_API_KEY"
    lines = [
        "",
        f"Farebox is ready at {notice.url}  ({notice.workers} worker{'s' * (notice.workers != 1)}, {notice.seconds:.1f} s)",
        f"  live     {_live(notice)}",
        f"  API key  {notice.owner_key or KEY_ELSEWHERE}",
        f"  home     {notice.home}",
        *(f"  note     {line}" for line in notice.advice),
        "",
        "Three first calls:",
        "",
        *calls(notice.url, key, notice.example_model),
        "",
        "Stop with Ctrl-C.",
        "",
    ]
    return "\n".join(lines)


def calls(url: str, key: str, model: str) -> list[str]:
    """The first call with curl, Python and JavaScript, one line each."""
    body = f'{{"model":"{model}","messages":[{{"role":"user","content":"Hello!"}}]}}'
    ask = f'model="{model}",messages=[{{"role":"user","content":"Hello!"}}]'
    ask_js = f'model:"{model}",messages:[{{role:"user",content:"Hello!"}}]'
    return [
        f"curl {url}/v1/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'",
        "",
        f'python -c \'import openai; print(openai.OpenAI(base_url="{url}/v1",api_key="{key}").chat.completions.create('
        f"{ask}).choices[0].message.content)'",
        "",
        f'node -e \'const o=new (require("openai"))({{baseURL:"{url}/v1",apiKey:"{key}"}});o.chat.completions.create('
        f"{{{ask_js}}}).then(r=>console.log(r.choices[0].message.content))'",
    ]


def _live(notice: Notice) -> str:
    match notice.kind:
        case "demo":
            return f"simulated providers only (--demo): {', '.join(notice.live)}"
        case "local":
            return f"the model on this machine: {notice.example_model}"
        case _:
            names = ", ".join(notice.live) or "nothing"
            return f"{names}  ({notice.models} models)"
