"""The benchmark of what-if simulations runs on any stored model, and its checks hold."""

import re
from pathlib import Path

from benchmarks.explanation.what_if import main


def test_every_plan_is_approved_and_no_proof_is_contradicted(model_tag: str, tmp_path: Path) -> None:
    output = tmp_path / "what_if.md"
    main(model=model_tag, applications=120, plans=60, proofs=5, peers=False, output=output)
    text = output.read_text(encoding="utf-8")
    (sent, held), (checked, wrong) = (
        re.findall(r"(\d+) plans of 60 applications, each sent alone: (\d+) APROVADO", text)[0],
        re.findall(r"(\d+) proofs of none.*: (\d+) contradicted", text)[0],
    )
    assert int(sent) == int(held) > 0
    assert (checked, wrong) == ("5", "0")
    assert "| single levers suffice |" in text
