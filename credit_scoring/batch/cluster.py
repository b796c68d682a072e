"""What the processes of a cluster are given: this package as an archive, and a model as the files it was saved in."""

import hashlib
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from credit_scoring.model.manifest import MANIFEST_FILE, SAVED_FILES
from credit_scoring.model.scorer import Scorer

PACKAGE = Path(__file__).parent.parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # one process per core

Files = Mapping[str, bytes]

_loaded: dict[str, Scorer] = {}


def archive_package(folder: Path) -> Path:
    """Write the package's source into `folder` as an archive that Python imports from."""
    archive = folder / f"{PACKAGE.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(PACKAGE.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, path.relative_to(PACKAGE.parent))
    return archive


def read_model(folder: Path) -> Files:
    """The files of a saved scorer."""
    return {name: (folder / name).read_bytes() for name in (*SAVED_FILES, MANIFEST_FILE)}


def digest_of(files: Files) -> str:
    """Names this very content: the manifest holds the hashes of the others."""
    return hashlib.sha256(files[MANIFEST_FILE]).hexdigest()


def scorer_of(digest: str, files: Callable[[], Files]) -> Scorer:
    """The scorer in these files, loaded and proved as the service does, once in a process.

    Raises ModelRejectedError where it must not decide, e.g. because libraries differ from those of training.
    """
    if digest not in _loaded:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files().items():
                (Path(folder) / name).write_bytes(content)
            _loaded.clear()
            _loaded[digest] = Scorer.load(Path(folder))
    return _loaded[digest]
