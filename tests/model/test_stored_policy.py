"""The policy of a stored model, read without its pipeline."""

from pathlib import Path

import pytest

from credit_scoring.errors import ModelRejectedError
from credit_scoring.model.manifest import CARD_FILE, PIPELINE_FILE, POLICY_FILE, seal
from credit_scoring.model.scorer import Scorer
from credit_scoring.model.stored_policy import StoredPolicy


@pytest.fixture
def folder(scorer: Scorer, tmp_path: Path) -> Path:
    scorer.save(tmp_path)
    return tmp_path


def test_a_stored_policy_is_that_of_the_scorer_that_was_saved(scorer: Scorer, folder: Path) -> None:
    found = StoredPolicy.read(folder)
    assert (found.policy, found.catalogue) == (scorer.policy, scorer.catalogue)


def test_libraries_of_another_day_do_not_matter(scorer: Scorer, folder: Path) -> None:
    older = scorer.card.model_copy(update={"library_versions": {"scikit-learn": "0.1"}})
    (folder / CARD_FILE).write_text(older.model_dump_json(), encoding="utf-8")
    seal(folder)
    with pytest.raises(ModelRejectedError, match="not portable"):
        Scorer.load(folder)
    assert StoredPolicy.read(folder).policy == scorer.policy


def test_another_pipeline_has_another_name(folder: Path) -> None:
    before = StoredPolicy.read(folder).pipeline
    with (folder / PIPELINE_FILE).open("ab") as file:
        file.write(b"more")
    seal(folder)
    assert StoredPolicy.read(folder).pipeline != before


def test_a_policy_that_was_changed_is_rejected(folder: Path) -> None:
    with (folder / POLICY_FILE).open("a", encoding="utf-8") as file:
        file.write(" ")
    with pytest.raises(ModelRejectedError, match=f"{POLICY_FILE} changed since it was saved"):
        StoredPolicy.read(folder)


def test_a_policy_of_another_version_is_rejected(folder: Path) -> None:
    (folder / POLICY_FILE).write_text("{}", encoding="utf-8")
    seal(folder)
    with pytest.raises(ModelRejectedError, match="of another version"):
        StoredPolicy.read(folder)
