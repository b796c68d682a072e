"""The steps that bring a decision log's tables from one version to the next, run by Alembic.

A step that only adds (tables, columns with a default, indexes) leaves OLDEST_CODE as it is: services of that version
go on and restart on the newer tables, so a rollout can be rolled back. Any other step sets it to its own version.
"""

HEAD = "0007"  # the newest step; a test holds it to the files in versions/
OLDEST_CODE = "0002"  # the oldest code that can work with its tables; 0001 names no columns where it adds rows
