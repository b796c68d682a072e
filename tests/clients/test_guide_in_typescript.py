"""The TypeScript example of the integration guide, run as it stands there."""

from pathlib import Path

import pytest

from tests.clients.conftest import run
from tests.serving.test_guide import PRINTED, block

pytestmark = pytest.mark.shipping  # needs npm; `make test-clients`


def test_the_example_in_typescript_decides_once_reads_an_error_and_reports_the_outcome(
    node: Path, access: dict[str, str]
) -> None:
    (node / "example.ts").write_text(block("typescript"), encoding="utf-8")
    assert PRINTED.fullmatch(run(node / "node_modules" / ".bin" / "tsx", "example.ts", cwd=node, **access))
