"""What must never be an input of a credit decision in Brazil, and why."""

import re
from unicodedata import combining, normalize

_SENSITIVE = "Lei 12.414/2011 art. 3 § 3 II and art. 7-A I; LGPD art. 5 II"

_SUBJECTS: dict[str, tuple[str, ...]] = {
    "sex": ("sex", "gender", "sexo", "genero"),
    "race or ethnic origin": ("race", "ethnicity", "skin_color", "raca", "etnia", "cor", "cor_da_pele"),
    "origin": ("origin", "social_origin", "ethnic_origin", "origem", "origem_social", "origem_etnica"),
    "religion": ("religion", "faith", "religiao", "crenca"),
    "political opinion": (
        "politics",
        "political_opinion",
        "political_party",
        "politica",
        "opiniao_politica",
        "partido",
    ),
    "union membership": ("union_membership", "sindicato", "filiacao_sindical"),
    "health": ("health", "disease", "disability", "pregnancy", "saude", "doenca", "deficiencia", "gravidez"),
    "genetic or biometric data": ("genetics", "genetic_data", "biometrics", "genetica", "dados_geneticos", "biometria"),
    "sexual orientation": ("sexual_orientation", "sexual_life", "orientacao_sexual", "vida_sexual"),
}
_SUBJECT_BY_NAME = {name: subject for subject, names in _SUBJECTS.items() for name in names}


def forbidden_reason(field: str) -> str | None:
    """Why a field of this name is refused, or None when the law says nothing about it."""
    subject = _SUBJECT_BY_NAME.get(_plain(field))
    if subject is None:
        return None
    return f"Refused: {subject} may never enter a credit decision ({_SENSITIVE}). Remove the field"


def _plain(field: str) -> str:
    """The name in lower case with underscores and without accents."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[\s-]+", "_", field.strip())
    letters = normalize("NFKD", words.lower())
    return "".join(letter for letter in letters if not combining(letter))
