"""Files of applications, scored on this machine or in Spark. Knows nothing of the service."""
