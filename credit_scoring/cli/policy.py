"""`credit-scoring policy …`: check, show, compare and publish the rules that a model decides by."""

import getpass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.cli.listing import Listing, messages, say
from credit_scoring.errors import ConfigurationError, PolicyError
from credit_scoring.model import store
from credit_scoring.model.governed import governed
from credit_scoring.model.publication import Publication, publish
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.cases import CaseReport
from credit_scoring.policy.dates import gap
from credit_scoring.policy.file import PolicyFile
from credit_scoring.policy.policy import Policy
from credit_scoring.policy.words import changes, in_words
from credit_scoring.settings import MODEL_NAME

FOLDER = Path(__file__).parent.parent / "policy" / "examples"
EXAMPLES = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))

console = messages()
app = typer.Typer(
    no_args_is_help=True,
    help="Check, show, compare and publish a policy: the threshold and the rules that a model decides by.",
)

FileArgument = Annotated[Path, typer.Argument(help="Policy as TOML; see `credit-scoring policy example`.")]
ModelOption = Annotated[str, typer.Option(help="Tag of the stored model that it is for.")]
LATEST = f"{MODEL_NAME}:latest"


@app.command()
def example(
    name: Annotated[str, typer.Argument(help=f"Which one: {', '.join(EXAMPLES)}.")] = EXAMPLES[0],
) -> None:
    """Print an example to copy and change."""
    if name not in EXAMPLES:
        raise ConfigurationError(f"There is no example {name[:40]}; expected {' or '.join(EXAMPLES)}.")
    print((FOLDER / f"{name}.toml").read_text(encoding="utf-8"), end="")


@app.command()
def check(file: FileArgument, model: ModelOption = LATEST) -> None:
    """Check a policy and run its cases; show which rules no case touches."""
    scorer, report, _ = tried(file, model)
    _show_coverage(scorer, report)
    console.print(
        f"{escape(scorer.policy.name or '')}: {len(scorer.policy.rules)} rules, {len(scorer.policy.cases)} cases. "
        "Nothing is wrong with it.",
        soft_wrap=True,
    )


@app.command()
def show(
    policy: Annotated[str, typer.Argument(help="A policy file, or the tag of a stored model.")] = LATEST,
    model: ModelOption = LATEST,
) -> None:
    """Show a policy in words."""
    found, catalogue = _found(policy, model)
    say(f"{found.name or 'as trained'} ({found.version})")
    if found.valid_from or found.valid_until:
        say(f"Valid from {found.valid_from or 'the beginning'} until {found.valid_until or 'further notice'}.")
    say(f"A risk of {found.threshold:g} or more: NEGADO.")
    if found.review_from is not None:
        say(f"A risk from {found.review_from:g} up to that: EM_ANALISE.")
    for rule in found.rules:
        say(f"{rule.id}: {in_words(rule, catalogue)}.\n    {rule.reason}{f' ({rule.basis})' if rule.basis else ''}")


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A policy file, or the tag of a stored model.")],
    after: Annotated[str, typer.Argument(help="Another one.")],
    model: ModelOption = LATEST,
) -> None:
    """Say in words what changes from one policy to another."""
    (old, catalogue), (new, _) = _found(before, model), _found(after, model)
    say("\n".join(changes(old, new, catalogue)) or "Both decide alike.")


@app.command("publish")
def publish_policy(
    file: FileArgument,
    reason: Annotated[str, typer.Option(help="Why; it is on record with the new version.")],
    model: ModelOption = LATEST,
    by: Annotated[str | None, typer.Option(show_default="your user name", help="Who publishes it.")] = None,
) -> None:
    """Put a new version of a model into the store: the same pipeline to the byte, under this policy."""
    if not reason.strip():
        raise ConfigurationError("--reason is empty; say why the policy changes.")
    scorer, _, before = tried(file, model)
    if problem := gap(before, scorer.policy):
        raise PolicyError(f"Policy {file}: {problem}.")
    if scorer.policy.version == before.version:
        console.print(f"{model} has this very policy already; nothing was published.")
        return
    for line in changes(before, scorer.policy, scorer.catalogue):
        console.print(escape(line), soft_wrap=True)
    print(publish(scorer.policy, store.find(model), Publication(by or getpass.getuser(), reason.strip())))


def tried(file: Path, model: str) -> tuple[Scorer, CaseReport, Policy]:
    """The model under the policy in the file, what its cases came to, and the model's own policy."""
    scorer = Scorer.load(Path(store.find(model).path))
    own = scorer.policy
    under, report = governed(scorer, PolicyFile.read(file).applied_to(own), f"Policy {file}")
    return under, report, own


def _found(policy: str, model: str) -> tuple[Policy, Catalogue]:
    if Path(policy).is_file() or policy.endswith(".toml"):
        scorer = Scorer.load(Path(store.find(model).path))
        return PolicyFile.read(Path(policy)).applied_to(scorer.policy), scorer.catalogue
    scorer = Scorer.load(Path(store.find(policy).path))
    return scorer.policy, scorer.catalogue


def _show_coverage(scorer: Scorer, report: CaseReport) -> None:
    listing = Listing("rule", "then", "if missing", "cases that touch it")
    for rule in scorer.policy.rules:
        touched = report.touched[rule.id]
        listing.add(rule.id, rule.then, rule.if_missing or "", str(touched) if touched else "[yellow]none[/]")
    if scorer.policy.rules:
        listing.show(console)
