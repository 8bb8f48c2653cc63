"""A real browser for the tests of pages and widgets; they are skipped where Chromium is not installed."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1100,900",
)
"""Options under which Chromium opens no window and asks nothing of the network."""


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One headless Chromium for the session."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium, which drives the browser, is not installed")
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip(f"no {'Chromium' if program is None else 'chromedriver'} on this machine")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("chromium")
    for option in (*QUIET, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        started.set_page_load_timeout(30)
        yield started
    finally:
        started.quit()


@pytest.fixture
def browser(chromium: Any) -> Any:
    """A headless Chromium, driven by selenium: ``browser.get(path.as_uri())``, ``browser.execute_script(...)``.

    ``browser.get_log("browser")`` has what pages wrote to the console since it was last asked, in this test.
    """
    chromium.get("about:blank")
    chromium.get_log("browser")  # what earlier tests' pages wrote
    return chromium
