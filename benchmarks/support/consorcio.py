"""The shipped catalogue, taken apart for whoever tests or measures with it."""

from credit_scoring.application.catalogue import shipped

CATALOGUE = shipped()
ConsorcioApplication = CATALOGUE.application
EXAMPLE_APPLICATION = CATALOGUE.example
FIELDS = CATALOGUE.all_fields
FEATURES = CATALOGUE.features
AUDIT_FIELDS = CATALOGUE.audit_fields
MAPPABLE = tuple(CATALOGUE.fields)
