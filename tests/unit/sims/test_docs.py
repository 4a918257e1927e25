"""The guide's tables are those of the code, and its Python example runs."""

import re
from pathlib import Path

from farebox.sims.faults.catalogue import table
from farebox.sims.orders import OPTIONS

GUIDE = (Path(__file__).parents[3] / "docs/guides/scripted-upstream.md").read_text("utf-8")


def between(mark: str) -> str:
    return GUIDE.partition(f"<!-- {mark}: generated -->\n")[2].partition("<!-- end -->")[0]


def test_faults_are_those_of_the_catalogue() -> None:
    assert between("faults") == table()


def test_options_are_those_of_the_code() -> None:
    rows = "".join(f"| `{name}` | {says} |\n" for name, says in OPTIONS.items())
    assert between("options") == "| option | meaning |\n|---|---|\n" + rows


def test_the_python_example_runs() -> None:
    found = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert found
    exec(compile(found[1], "guide", "exec"), {})
