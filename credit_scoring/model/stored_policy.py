"""The policy that a stored model carries, read without its pipeline: libraries of another day do not matter to it."""

from pathlib import Path
from typing import NamedTuple, Self

from pydantic import ValidationError

from credit_scoring.application.catalogue import Catalogue
from credit_scoring.errors import ModelRejectedError
from credit_scoring.model.manifest import CATALOGUE_FILE, PIPELINE_FILE, POLICY_FILE, checked
from credit_scoring.policy.policy import Policy


class StoredPolicy(NamedTuple):
    """A policy with the fields that it is about, and the sha256 of the pipeline whose risks it decides by."""

    policy: Policy
    catalogue: Catalogue
    pipeline: str

    @classmethod
    def read(cls, folder: Path) -> Self:
        """That of a saved scorer; raises ModelRejectedError where its files are not whole."""
        _, hashes = checked(folder)
        try:
            policy = Policy.model_validate_json((folder / POLICY_FILE).read_bytes())
            catalogue = Catalogue.model_validate_json((folder / CATALOGUE_FILE).read_bytes())
        except ValidationError as error:
            raise ModelRejectedError(f"Model {folder}: its policy or catalogue is of another version.") from error
        return cls(policy, catalogue, hashes[PIPELINE_FILE])
