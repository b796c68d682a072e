"""From docs.json to a generated client's first decision, and through all that an integration does."""

import os
import time
from pathlib import Path

import httpx
import pytest

from tests.clients.conftest import FOLDER, run
from tests.conftest import RunningService

pytestmark = pytest.mark.shipping  # needs the package indexes; `make test-clients`


@pytest.fixture(scope="session")
def document(keyed: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenAPI document, which needs no key."""
    path = tmp_path_factory.mktemp("document") / "docs.json"
    answer = httpx.get(f"{keyed.url}/docs.json")
    assert answer.status_code == 200
    path.write_bytes(answer.content)
    return path


def test_a_generated_python_client_decides_explains_reviews_and_reports(
    python: Path, document: Path, access: dict[str, str], tmp_path: Path
) -> None:
    began = time.monotonic()
    path = f"{python.parent}:{os.environ['PATH']}"
    generate = (python.parent / "openapi-python-client", "generate", "--path", document, "--fail-on-warning")
    run(*generate, cwd=tmp_path, PATH=path)
    package = tmp_path / "credit-decisions-client"
    printed = run(python, FOLDER / "flow.py", cwd=tmp_path, PYTHONPATH=str(package), **access)
    assert printed.startswith("first decision: ")
    assert printed.endswith("all answered as described\n")
    print(f"\nPython: docs.json to the end of the flow in {time.monotonic() - began:.1f} s")


def test_a_generated_typescript_client_decides_explains_reviews_and_reports(
    node: Path, document: Path, access: dict[str, str]
) -> None:
    began = time.monotonic()
    tools = node / "node_modules" / ".bin"
    run(tools / "openapi-typescript", document, "-o", "api.ts", cwd=node)
    (node / "flow.ts").write_bytes((FOLDER / "flow.ts").read_bytes())
    run(tools / "tsc", "-p", ".", cwd=node)
    printed = run(tools / "tsx", "flow.ts", cwd=node, **access)
    assert printed.startswith("first decision: ")
    assert printed.endswith("all answered as described\n")
    print(f"\nTypeScript: docs.json to the end of the flow, types checked, in {time.monotonic() - began:.1f} s")


def test_typescript_enumerations_explain_their_values(node: Path, document: Path) -> None:
    run(node / "node_modules" / ".bin" / "openapi-typescript", document, "--enum", "-o", "enums.ts", cwd=node)
    assert "sem aluguel / Lent" in (node / "enums.ts").read_text(encoding="utf-8")
