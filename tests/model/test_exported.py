"""A model as a file: what is imported is what was exported, and nothing else ever is."""

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import bentoml
import pytest

from credit_scoring.errors import ModelNotFoundError, ModelRejectedError
from credit_scoring.model import store
from credit_scoring.model.exported import import_file
from credit_scoring.model.promotions import Promotions
from credit_scoring.model.scorer import Scorer


def hash_beside(file: Path) -> None:
    beside = file.with_name(f"{file.name}.sha256")
    beside.write_text(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n", encoding="utf-8")


@pytest.fixture
def file(scorer: Scorer, published: Callable[[], list[str]], promotions: Promotions, tmp_path: Path) -> Path:
    """An exported model that the store does not hold."""
    tag = store.save(scorer)
    exported = Path(bentoml.models.export_model(tag, str(tmp_path / "model.bentomodel")))
    bentoml.models.delete(tag)
    hash_beside(exported)
    return exported


def refused(file: Path) -> str:
    """Why the file is not imported; the store is as it was."""
    before = sorted(store.versions())
    with pytest.raises((ModelRejectedError, ModelNotFoundError)) as caught:
        import_file(file)
    assert sorted(store.versions()) == before
    assert Promotions.of_store().read() == ()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(file.parent))
    return message


def test_the_imported_model_scores_as_the_exported_one(file: Path, scorer: Scorer) -> None:
    tag, is_new = import_file(file)
    assert is_new
    assert Scorer.load(Path(store.find(tag).path)).reference == scorer.reference


def test_importing_again_changes_nothing(file: Path) -> None:
    tag, _ = import_file(file)
    before = Promotions.of_store().read()
    assert import_file(file) == (tag, False)
    assert Promotions.of_store().read() == before


def test_what_was_served_so_far_stays_champion(file: Path, model_tag: str) -> None:
    import_file(file)
    assert [each.tag for each in Promotions.of_store().read()] == [model_tag]


def test_a_file_with_one_byte_changed_is_refused(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert "Nothing was imported" in refused(file)


def test_a_file_without_its_hash_is_refused(file: Path) -> None:
    file.with_name(f"{file.name}.sha256").unlink()
    assert "model.bentomodel.sha256: cannot be read" in refused(file)


def test_an_empty_hash_is_refused(file: Path) -> None:
    file.with_name(f"{file.name}.sha256").write_text("")
    assert "says nothing" in refused(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.bentomodel")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\xfd7zXZ\x00" + b"\0" * 100])
def test_what_is_no_exported_model_is_refused(tmp_path: Path, promotions: Promotions, content: bytes) -> None:
    file = tmp_path / "model.bentomodel"
    file.write_bytes(content)
    hash_beside(file)
    assert "is no model that `bentoml models export` has written" in refused(file)


def repacked(file: Path, tmp_path: Path, change: Callable[[Path], None]) -> Path:
    """The same file after a change of what it holds, hashed again."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xf", file, "-C", folder], check=True)
    change(folder)
    archived = shutil.make_archive(str(tmp_path / "changed"), "xztar", folder)
    made = Path(archived).rename(tmp_path / "changed.bentomodel")
    hash_beside(made)
    return made


def test_a_model_whose_pipeline_was_changed_is_refused_though_its_hash_fits(file: Path, tmp_path: Path) -> None:
    def replace_pipeline(folder: Path) -> None:
        (folder / "saved_model.pkl").write_bytes(b"other")

    assert "saved_model.pkl changed since it was saved" in refused(repacked(file, tmp_path, replace_pipeline))


def test_a_model_of_another_name_is_refused(file: Path, tmp_path: Path) -> None:
    def rename(folder: Path) -> None:
        text = (folder / "model.yaml").read_text(encoding="utf-8")
        (folder / "model.yaml").write_text(text.replace("name: credit_scoring", "name: other"), encoding="utf-8")

    assert "expected a model named credit_scoring" in refused(repacked(file, tmp_path, rename))


def test_an_archive_without_a_model_is_refused(file: Path, tmp_path: Path) -> None:
    made = repacked(file, tmp_path, lambda folder: (folder / "model.yaml").unlink())
    assert "is no model that `bentoml models export` has written" in refused(made)
