"""`credit-scoring decisions reasons`: why a decision was given, in the words that the client reads."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import to_json

from credit_scoring.cli.decisions import DatabaseOption, open_log
from credit_scoring.cli.evidence import decisions
from credit_scoring.decisions.explained import explained_again, on_record
from credit_scoring.explanation.explanation import Explanation
from credit_scoring.explanation.simulation import lowered
from credit_scoring.model import store
from credit_scoring.model.scorer import Scorer

__all__ = ["decisions"]


@decisions.command("reasons")
def show_reasons(
    decision_id: Annotated[str, typer.Argument(help="The `decision_id` of the answer.")],
    database: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the API answers.")] = False,
) -> None:
    """Say why a decision was given, by the model and the policy of its day; the model must be in the store.

    What was given before is shown as it was. Nothing is put on record: a look is not an answer to a client.
    """
    known, row = open_log(database).run_now(partial(on_record, decision_id), reading=True)
    if known is None:
        found = explained_again(row, Scorer.load(Path(store.find(row["model"]).path)))
    else:
        found = Explanation.model_validate_json(known)
    print(to_json(found, indent=2).decode() if as_json else _in_words(found))


def _in_words(found: Explanation) -> str:
    lines = [f"Decisão {found.decision_id}: {found.decision}"]
    lines += [f"Regra {rule.id}: {rule.reason}{f' ({rule.basis})' if rule.basis else ''}" for rule in found.rules]
    if found.score:
        for reason in found.score.against:
            lines.append(f"Contra ({reason.share:.0%}): {reason.text} — sobretudo {lowered(reason.field_title)}")
        if found.score.further:
            lines.append(_further(found.score.further, found.score.further_share))
        for factor in found.score.in_favour:
            lines.append(f"A favor ({factor.share:.0%}): {factor.title} — sobretudo {lowered(factor.field_title)}")
    return "\n".join(lines)


def _further(groups: int, share: float) -> str:
    counting = "Outro grupo conta" if groups == 1 else f"Outros {groups} grupos contam"
    return f"{counting} contra, com {share:.0%}."
