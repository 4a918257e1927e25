"""The site in a real Chromium: it fits, breaks no policy of its own, and copies."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from api_house import PULSE, opened, record

pytestmark = pytest.mark.browser
CHROMIUM = "/usr/bin/chromium"


@contextlib.contextmanager
def served(app: object) -> Iterator[str]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))  # type: ignore[arg-type]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("site")
    with opened(folder) as house:
        # In a thread of its own: the browser's driver keeps a loop running in this one.
        filling = threading.Thread(
            target=lambda: asyncio.run(house.control.deliver([record(f"{place}") for place in range(6)], PULSE))
        )
        filling.start()
        filling.join()
        with served(house.app) as found:
            yield found


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/models/acme/small", "/?q=none-of-them"])
def test_pages_fit_and_break_no_policy(browser: Browser, address: str, width: int, scheme: str, path: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(address + path)
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    assert (overflow, complaints) == (0, [])


def test_the_first_call_is_copied_in_the_language_that_is_shown(browser: Browser, address: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address)
    page.get_by_text("Python", exact=True).click()
    page.locator(".panel-python copy-button button").click()
    page.get_by_text("Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("import os\nfrom openai import OpenAI")
    assert f'base_url="{address}/api/v1"' in copied
    compile(copied, "first_call.py", "exec")
    context.close()


def test_the_list_is_searched_without_any_script(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_label("Search").fill("large")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**q=large**")
    assert page.locator(".models tbody th a").all_text_contents() == ["Large"]
    context.close()
