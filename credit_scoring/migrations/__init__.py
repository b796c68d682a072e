"""The steps that bring a decision log's tables from one version to the next, run by Alembic."""

HEAD = "0003"  # the newest step; a test holds it to the files in versions/
