"""Owns the habits of the house as checks on the source itself; refuses style that a formatter can settle."""

import ast
import re
import subprocess
import tomllib

from house.source import PACKAGE, ROOT, docstrings, functions, product, python, text, tracked

MODULE_LINES = 400
FUNCTION_LINES = 60
FRONT_DOOR_LINES = 60
PARAMETERS = 6
VENDOR_FILE_LINES = 60
QUIRK_LINES = 15

# The boundaries at which every error must be caught, whatever it is: file below src/farebox -> how many, and why there.
# Handlers that only clean up and raise again do not count.
BROAD_EXCEPTS = {
    "api/app.py": 1,  # the request boundary of control: a defect becomes a 500 with an id
    "gateway/gateway.py": 1,  # the request boundary of a worker
    "storage/writer.py": 1,  # the job runner: a job's error belongs to whoever waits for it
}

# Names of vendors that are also names of wire protocols, of the owner's own machine, or everyday words.
NOT_ONLY_VENDORS = {
    "ambient", "anthropic", "azure", "cohere", "inception", "lilac", "local", "meta", "modal", "morph", "openai",
    "openrouter", "perceptron", "synthetic", "together", "writer",
}  # fmt: skip


def is_exempt(path: str) -> bool:
    """Migrations are written once; a test module may list as many cases as its subject has."""
    return "/migrations/versions/" in path or path.startswith("tests/")


def test_modules_are_short() -> None:
    long = {path: text(ROOT / path).count("\n") for path, _ in python() if not is_exempt(path)}
    assert not {path: lines for path, lines in long.items() if lines > MODULE_LINES}


def test_functions_are_short() -> None:
    long = [
        f"{path}:{node.lineno} {node.name} has {lines} lines"
        for path, module in python()
        for node in functions(module)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long


def test_functions_take_few_parameters() -> None:
    many = []
    for path, module in product():
        for node in functions(module):
            if node.name == "__init__" or (path.startswith("cli/") and not node.name.startswith("_")):
                continue  # the fields of a value, the options of a command: as many as there are
            positional = [a for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in {"self", "cls"}]
            count = len(positional) + len(node.args.kwonlyargs)
            if count > PARAMETERS:
                many.append(f"{path}:{node.lineno} {node.name} takes {count}")
    assert not many


def test_every_module_says_what_it_owns() -> None:
    silent = [path for path, module in python() if module.body and not ast.get_docstring(module)]
    assert not silent


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(c is None or (isinstance(c, ast.Name) and c.id in {"Exception", "BaseException"}) for c in caught)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_broad_excepts_stand_only_at_the_named_boundaries() -> None:
    found: dict[str, int] = {}
    for path, module in product():
        broad = sum(
            isinstance(node, ast.ExceptHandler) and _is_broad(node) and not _raises_again(node)
            for node in ast.walk(module)
        )
        if broad:
            found[path] = broad
    assert found == BROAD_EXCEPTS


def test_no_module_keeps_state() -> None:
    state = []
    for path, module in product():
        state += [f"{path}:{n.lineno} global" for n in ast.walk(module) if isinstance(n, ast.Global)]
        for node in module.body:
            value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
            empty = isinstance(value, ast.Dict | ast.List | ast.Set) and not ast.unparse(value).strip("[]{}")
            called = isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in {
                "dict", "list", "set", "defaultdict", "deque", "OrderedDict", "Counter", "WeakValueDictionary",
            }  # fmt: skip
            if empty or (called and isinstance(value, ast.Call) and not value.args and not value.keywords):
                state.append(f"{path}:{node.lineno} an empty container that can only be state")
    assert not state


def test_nothing_is_left_for_later() -> None:
    leftover = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("*.py", "*.sh", "*.toml", "*.html", "*.js", "*.c", "*.md", "dev", ".ci/run")
        for number, line in enumerate(text(path).splitlines(), 1)
        if leftover.search(line) and "/data/" not in path.as_posix()
    ]
    stubs = [
        f"{path}:{node.lineno}"
        for path, module in product()
        for node in ast.walk(module)
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert not found
    assert not stubs


def test_no_test_is_skipped() -> None:
    marks = {"skip", "skipif", "xfail", "importorskip"}
    found = [
        f"{path}:{node.lineno}"
        for path, module in python()
        if path.startswith("tests/")
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and node.attr in marks and "pytest" in ast.unparse(node)
    ]
    assert not found


def test_money_is_counted_in_integers() -> None:
    found = []
    for path, module in product():
        if not path.startswith(("money/", "ledger/")):
            continue
        for node in ast.walk(module):
            floating = isinstance(node, ast.Constant) and isinstance(node.value, float)
            named = isinstance(node, ast.Name) and node.id == "float"
            divided = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            if floating or named or divided:
                found.append(f"{path}:{node.lineno} {ast.unparse(node)}")
    assert not found


def test_amounts_anywhere_are_integers() -> None:
    money_name = re.compile(r"(_nano|_pico|_bps)$")
    found = [
        f"{path}:{node.lineno} {ast.unparse(node)}"
        for path, module in product()
        for node in ast.walk(module)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and money_name.search(node.target.id)
        and "float" in ast.unparse(node.annotation)
    ]
    assert not found


def _vendor_names() -> set[str]:
    names = {path.stem for path in tracked("src/farebox/vendors/data/*.toml")}
    return {name for name in names if name not in NOT_ONLY_VENDORS and len(name) > 3}


def test_vendors_are_named_only_where_they_are_described() -> None:
    names = _vendor_names()
    word = re.compile(
        r"(?<![A-Za-z0-9])(" + "|".join(sorted(map(re.escape, names))) + r")(?![A-Za-z0-9])", re.IGNORECASE
    )
    found = []
    for path, module in product() if names else ():
        if path.startswith(("vendors/", "sims/", "catalogue/data/")):
            continue
        explaining = docstrings(module)
        for node in ast.walk(module):
            said = ""
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explaining:
                said = node.value
            if match := word.search(said):
                found.append(f"{path}:{node.lineno} {match.group()}")
    assert not found


def test_a_vendor_is_a_short_description() -> None:
    long = {
        path.name: lines
        for path in tracked("src/farebox/vendors/data/*.toml")
        if (lines := sum(1 for line in text(path).splitlines() if line.strip() and not line.startswith("#")))
        > VENDOR_FILE_LINES
    }
    assert not long


def test_a_quirk_is_a_short_function() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, module in product()
        if path.startswith("vendors/quirks")
        for node in functions(module)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > QUIRK_LINES
    ]
    assert not long


def test_the_repository_names_no_machine_and_no_registry() -> None:
    host = r"(registry|files|index|deb|pypi)\.([a-z]*npm[a-z]*|[a-z]*python[a-z]*|debian|yarnpkg|org)\.?(org|com|js)?\b"
    banned = re.compile(rf"(?<![\w.])/(work|root|opt|Users)/|/home/(?!\$)[a-z]+/|://{host}|\b{host}/")
    found = [
        f"{path.relative_to(ROOT)}:{number} {match.group()}"
        for path in tracked()
        if path.suffix not in {".png", ".ico", ".woff2"} and path.name != "test_tidy.py" and "wire" not in path.parts
        for number, line in enumerate(text(path).splitlines(), 1)
        if (match := banned.search(line))
    ]
    assert not found


def test_the_version_is_said_once() -> None:
    declared = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["version"]
    assert f'__version__ = "{declared}"' in text(PACKAGE / "__init__.py")


def test_the_front_door_is_short_plain_shell() -> None:
    assert text(ROOT / "dev").count("\n") <= FRONT_DOOR_LINES
    for script in (ROOT / "dev", *tracked("tools/*.sh")):
        assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0, script


def test_test_modules_have_names_of_their_own() -> None:
    names = [path.name for path in tracked("tests/*.py") if path.name not in {"__init__.py", "conftest.py"}]
    assert not {name for name in names if names.count(name) > 1}
