"""The model store: what lies in it, and which models must not decide."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bentoml
import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.data.datasets import Dataset
from credit_scoring.errors import ModelNotFoundError, ModelRejectedError, ModelStoreError
from credit_scoring.model import store
from credit_scoring.model.card import ModelCard
from credit_scoring.model.scorer import Scorer
from credit_scoring.policy.policy import Policy
from credit_scoring.settings import MODEL_NAME

FILES = ("saved_model.pkl", "catalogue.json", "card.json", "policy.json", "reference.json", "manifest.json")


@pytest.fixture
def folder(model_tag: str, tmp_path: Path) -> Path:
    """A copy of the stored model's folder, to be tampered with."""
    return Path(shutil.copytree(store.find(model_tag).path, tmp_path / "model"))


def _stored_files() -> set[Path]:
    return {path for path in Path(os.environ["BENTOML_HOME"]).rglob("*") if path.is_file()}


def _stored_tags() -> list[str]:
    return sorted(str(model.tag) for model in bentoml.models.list())


def _refresh_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    fresh = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest}
    (folder / "manifest.json").write_text(json.dumps(fresh), encoding="utf-8")


def _rewrite_card(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    change(card)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    _refresh_manifest(folder)


class TestSavedModel:
    def test_bentoml_loads_the_fitted_pipeline_and_it_scores_as_the_scorer_does(
        self, model_tag: str, scorer: Scorer, dataset: Dataset
    ) -> None:
        pipeline = bentoml.sklearn.load_model(model_tag)
        frame = dataset.frame[list(scorer.card.features)]
        loaded = Scorer.load(Path(store.find(model_tag).path))
        assert isinstance(pipeline, Pipeline)
        assert pipeline.predict_proba(frame)[:, 1].tobytes() == loaded.score(dataset.frame).tobytes()
        assert loaded.score(dataset.frame).tobytes() == scorer.score(dataset.frame).tobytes()

    def test_a_loaded_scorer_has_the_policy_card_and_reference_that_were_saved(
        self, model_tag: str, scorer: Scorer
    ) -> None:
        loaded = Scorer.load(Path(store.find(model_tag).path))
        assert (loaded.policy, loaded.card, loaded.reference) == (scorer.policy, scorer.card, scorer.reference)

    def test_loaded_twice_it_scores_the_same_to_the_last_bit(self, model_tag: str) -> None:
        first, second = (Scorer.load(Path(store.find(model_tag).path)) for _ in range(2))
        rows = first.reference.rows
        assert first.score_records(rows).tobytes() == second.score_records(rows).tobytes()

    def test_catalogue_policy_reference_and_card_lie_beside_the_pipeline_as_json(
        self, model_tag: str, scorer: Scorer
    ) -> None:
        path = Path(store.find(model_tag).path)
        assert {*FILES, "model.yaml"} == {each.name for each in path.iterdir()}
        assert Policy.model_validate_json((path / "policy.json").read_bytes()) == scorer.policy
        assert Catalogue.model_validate_json((path / "catalogue.json").read_bytes()) == scorer.catalogue
        assert ModelCard.model_validate_json((path / "card.json").read_bytes()) == scorer.card
        reference = json.loads((path / "reference.json").read_bytes())
        assert len(reference["rows"]) == len(reference["risk"]) == 256

    def test_no_audit_field_is_kept_in_the_reference_rows(self, scorer: Scorer) -> None:
        assert {name for row in scorer.reference.rows for name in row} == set(scorer.card.features)

    def test_the_card_names_the_libraries_that_are_installed(self, scorer: Scorer) -> None:
        assert {"python", "scikit-learn", "lightgbm", "xgboost-cpu", "numpy"} <= set(scorer.card.library_versions)
        assert scorer.card.library_versions["numpy"] == np.__version__

    def test_the_tag_is_found_by_name_and_as_the_latest(self, model_tag: str) -> None:
        assert model_tag.startswith(f"{MODEL_NAME}:")
        assert store.has(f"{MODEL_NAME}:latest")
        assert store.has(model_tag)

    def test_bentoml_lists_the_model_with_its_algorithm_source_and_figures(
        self, model_tag: str, scorer: Scorer
    ) -> None:
        info = store.find(model_tag).info
        assert info.labels == {"algorithm": scorer.card.chosen, "source": "embedded"}
        assert info.metadata["auc"] == pytest.approx(scorer.card.test["auc"].value)

    def test_a_model_that_is_not_there_is_answered_with_how_to_train_one(self) -> None:
        with pytest.raises(ModelNotFoundError, match=r"No model nothing:latest .*credit-scoring train"):
            store.find("nothing:latest")
        assert not store.has("nothing:latest")

    @pytest.mark.parametrize("tag", ["no such: tag / at all", "no such tag", "", ":", "credit_scoring:", "../x"])
    def test_a_tag_that_is_none_is_answered_alike(self, tag: str) -> None:
        assert not store.has(tag)


class TestRefusedModels:
    def test_an_untouched_copy_is_accepted(self, folder: Path, scorer: Scorer) -> None:
        assert Scorer.load(folder).policy == scorer.policy

    @pytest.mark.parametrize("name", FILES[:-1])
    def test_a_changed_file_is_refused_by_name(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes((folder / name).read_bytes() + b" ")
        with pytest.raises(ModelRejectedError, match=rf"{name} changed since it was saved.*credit-scoring train"):
            Scorer.load(folder)

    @pytest.mark.parametrize("name", FILES)
    def test_a_missing_file_is_refused(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        with pytest.raises(ModelRejectedError, match="incomplete or not made by this project"):
            Scorer.load(folder)

    @pytest.mark.parametrize("name", FILES)
    def test_a_file_cut_short_is_refused(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:40])
        with pytest.raises(ModelRejectedError):
            Scorer.load(folder)

    @pytest.mark.parametrize("manifest", ["[]", "3", '"text"', "null", "{}", '{"card.json": 3}', "not json"])
    def test_a_manifest_that_vouches_for_nothing_is_refused(self, folder: Path, manifest: str) -> None:
        (folder / "manifest.json").write_text(manifest, encoding="utf-8")
        with pytest.raises(ModelRejectedError):
            Scorer.load(folder)

    def test_a_pickle_that_cannot_be_read_is_refused_even_with_a_fresh_hash(self, folder: Path) -> None:
        (folder / "saved_model.pkl").write_bytes(b"not a pickle")
        _refresh_manifest(folder)
        with pytest.raises(ModelRejectedError, match="cannot be loaded"):
            Scorer.load(folder)

    def test_another_scikit_learn_in_training_is_refused_with_both_versions(self, folder: Path) -> None:
        _rewrite_card(folder, lambda card: card["library_versions"].update({"scikit-learn": "0.24.2"}))
        with pytest.raises(ModelRejectedError, match=r"scikit-learn 0\.24\.2 in training, [0-9.]+ here.*make install"):
            Scorer.load(folder)

    def test_another_patch_release_of_scikit_learn_is_accepted(self, folder: Path, scorer: Scorer) -> None:
        release = ".".join(scorer.card.library_versions["scikit-learn"].split(".")[:2])
        _rewrite_card(folder, lambda card: card["library_versions"].update({"scikit-learn": f"{release}.99"}))
        assert Scorer.load(folder).policy == scorer.policy

    def test_another_release_of_a_further_library_is_warned_of_and_proved(
        self, folder: Path, scorer: Scorer, caplog: pytest.LogCaptureFixture
    ) -> None:
        _rewrite_card(folder, lambda card: card["library_versions"].update({"numpy": "1.0.0"}))
        assert Scorer.load(folder).policy == scorer.policy
        assert "numpy 1.0.0 in training" in caplog.text

    def test_a_pipeline_that_scores_otherwise_than_when_it_was_saved_is_refused(self, folder: Path) -> None:
        pipeline = joblib.load(folder / "saved_model.pkl")
        pipeline.named_steps["classifier"].calibrator_.offset += 1e-6
        joblib.dump(pipeline, folder / "saved_model.pkl")
        _refresh_manifest(folder)
        with pytest.raises(ModelRejectedError, match=r"does not score as it did when it was saved: .* differs by"):
            Scorer.load(folder)

    def test_a_pipeline_that_scores_nothing_but_nan_is_refused(self, folder: Path) -> None:
        pipeline = joblib.load(folder / "saved_model.pkl")
        pipeline.named_steps["classifier"].calibrator_.offset = float("nan")
        joblib.dump(pipeline, folder / "saved_model.pkl")
        _refresh_manifest(folder)
        with pytest.raises(ModelRejectedError):
            Scorer.load(folder)

    def test_a_model_of_another_project_in_the_store_is_refused(self) -> None:
        model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
        foreign = bentoml.sklearn.save_model("of_another_project", model)
        try:
            with pytest.raises(ModelRejectedError, match=r"not made by this project.*bentoml models delete"):
                Scorer.load(Path(store.find(str(foreign.tag)).path))
        finally:
            bentoml.models.delete(foreign.tag)


class TestNothingHalfWritten:
    def test_when_saving_fails_midway_the_store_holds_what_it_held_before(
        self, model_tag: str, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail_after_the_first_file(self: Scorer, folder: Path) -> None:
            (folder / "saved_model.pkl").write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device", str(folder / "card.json"))

        tags, files = _stored_tags(), _stored_files()
        monkeypatch.setattr(Scorer, "save", fail_after_the_first_file)
        with pytest.raises(ModelStoreError, match=r"cannot be written \(No space left on device: .*Nothing was saved"):
            store.save(scorer)
        assert _stored_tags() == tags
        assert _stored_files() == files
        assert model_tag in tags

    def test_an_interrupt_midway_leaves_nothing_either(self, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(self: Scorer, folder: Path) -> None:
            (folder / "saved_model.pkl").write_bytes(b"half")
            raise KeyboardInterrupt

        tags, files = _stored_tags(), _stored_files()
        monkeypatch.setattr(Scorer, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.save(scorer)
        assert (_stored_tags(), _stored_files()) == (tags, files)

    def test_an_interrupt_while_the_store_copies_the_model_leaves_nothing_either(
        self, model_tag: str, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(source: Path, target: Path, **_: object) -> None:
            (target / "saved_model.pkl").write_bytes(b"half")
            raise KeyboardInterrupt

        tags, files = _stored_tags(), _stored_files()
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "copytree", interrupted)
            with pytest.raises(KeyboardInterrupt):
                store.save(scorer)
        assert (_stored_tags(), _stored_files()) == (tags, files)
        assert str(store.find(f"{MODEL_NAME}:latest").tag) in tags

    def test_a_writable_store_is_found_writable_and_left_as_it_was(self, model_tag: str) -> None:
        files = _stored_files()
        store.check_writable()
        assert _stored_files() == files
