"""kill -9 of workers and of PostgreSQL under load, and whether all that was answered is on record, once."""
