"""Files of applications, scored in Spark. Knows nothing of the service."""
