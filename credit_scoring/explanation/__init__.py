"""Why an application was decided as it was, and what would have to change; knows nothing of requests or storage."""
