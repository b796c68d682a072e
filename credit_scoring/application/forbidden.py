"""What must never be an input of a credit decision in Brazil, and why; told by the words of a field's name."""

import re
from unicodedata import combining, normalize

_SENSITIVE = "Lei 12.414/2011 art. 3 § 3 II and art. 7-A I; LGPD art. 5 II"
_AUDITED = {"marital_status": "marital status"}

# Patterns of words that are forbidden wherever they stand in a name.
_ANYWHERE = {
    "sexual orientation": r"sexual\w*",
    "sex": r"sex|\w*sexo\w*|genders?",
    "race or ethnic origin": r"races?|racial\w*|racas?|ethnic\w*|etni\w+",
    "origin": r"nationality|nacionality|nacionalid\w+|naturalidade|citizenship|birthplace|\w+ofbirth|im?migra\w+",
    "religion": r"religi\w+|crenca",
    "union membership": r"sindicato|sindical\w*",
    "genetic or biometric data": r"genetic\w*|biometr\w+|dna",
    "marital status": r"marital\w*",
}

# Words that are honest by themselves and forbidden together, in any order.
_TOGETHER = {
    "race or ethnic origin": ("skin color", "skin colour", "cor pele", "cor cliente"),
    "origin": (
        *("social origin", "origem social", "national origin", "country origin", "pais origem", "foreign worker"),
        *(f"{place} birth" for place in ("state", "city", "country", "place", "region", "province")),
        *(f"{place} {birth}" for place in ("uf", "estado", "cidade", "municipio", "pais", "local") for birth in
          ("nascimento", "nasc", "natal")),
    ),
    "political opinion": (
        *("political opinion", "political party", "political view", "opiniao politica", "partido politico"),
        *("filiacao partidaria",),
    ),
    "union membership": ("union membership", "union member", "trade union", "labor union", "labour union"),
    "health": (
        *("health status", "health condition", "health data", "estado saude", "condicao saude", "dados saude"),
        *("pessoa deficiencia", "chronic disease", "doenca cronica"),
    ),
    "sex": ("identidade genero",),
    "marital status": ("estado civil", "est civil", "situacao conjugal", "civil status"),
}  # fmt: skip

# Words that are forbidden where the rest of the name only says that it is a code, or whose.
_BY_THEMSELVES = {
    "sex": ("genero", "sx"),
    "origin": ("estrangeiro", "foreigner"),
    "religion": ("faith",),
    "health": (
        *("health", "disease", "disability", "disabled", "pregnancy", "pregnant", "saude", "doenca", "deficiencia"),
        *("deficiente", "pcd", "gravidez", "gravida", "gestante"),
    ),
    "marital status": ("married", "marriage", "casado", "casamento"),
}
_SAYS_NOTHING = {
    *("code", "cod", "codigo", "cd", "co", "id", "num", "nr", "tp", "tipo", "type", "cat", "category", "categoria"),
    *("ind", "indicator", "indicador", "in", "ic", "is", "has", "fl", "flag", "st", "sg", "ds", "desc", "nm", "name"),
    *(
        "nome",
        "col",
        "column",
        "field",
        "campo",
        "feature",
        "x",
        "group",
        "grupo",
        "status",
        "member",
        "of",
        "the",
        "a",
    ),
    *("client", "cliente", "customer", "applicant", "borrower", "person", "pessoa", "personal", "pessoal", "consumer"),
    *("proponente", "titular", "tomador", "solicitante", "consorciado", "de", "da", "do", "o", "e", "com", "with"),
}

# Words that are honest in most names (a policy, a channel of origin, a car's colour) and forbidden as the whole name.
_WHOLE = {
    "race or ethnic origin": ("cor",),
    "origin": ("origin", "origem"),
    "political opinion": ("politics", "politica", "partido"),
}

# What says a person's age, by itself or with words of how it is counted or banded, also without a separator.
_AGE = ("age", "idade", "etaria", "etario", "birth", "birthday", "dob", "yob", "nascimento", "nasc")
_OF_AGE = (
    *("band", "bands", "range", "bracket", "bucket", "class", "classe", "faixa", "group", "grupo", "current", "atual"),
    *("year", "years", "ano", "anos", "month", "months", "mes", "meses", "day", "days", "dia", "dias"),
    *("date", "data", "dt"),
)
_OF_A_GROUP = {"idade", "grupo"}  # of a consórcio's group, which is no person; `grupo_etario` is another word
_AGES = {*_AGE, *(word for age in _AGE for of in _OF_AGE for word in (age + of, of + age))}


def forbidden_reason(field: str) -> str | None:
    """Why a field of this name is refused, or None when the law says nothing about it."""
    return None if field in _AUDITED else _reason(_subject(field))


def disguise_reason(field: str, column: str) -> str | None:
    """Why a foreign column of this name may not become this field of an application; None when it may."""
    subject = _subject(column)
    return None if subject == _AUDITED.get(field, "") else _reason(subject)


def is_age(name: str) -> bool:
    """Whether a field of this name holds a person's age or birth, on which nothing but legal capacity may depend."""
    words = _words(name)
    said = _said(words)
    return bool(said & _AGES) and said <= {*_AGES, *_OF_AGE} and not _OF_A_GROUP.issubset(words)


def _reason(subject: str | None) -> str | None:
    if subject is None:
        return None
    for field, audited in _AUDITED.items():
        if subject == audited:
            return f"Refused: {subject} never decides; it is kept for audits only, as the field {field}"
    return f"Refused: {subject} may never enter a credit decision ({_SENSITIVE}). Remove the field"


def _subject(name: str) -> str | None:
    """What a field of this name is about, if that is forbidden."""
    words = _words(name)
    for subject, pattern in _ANYWHERE.items():
        if any(re.fullmatch(pattern, word) for word in words):
            return subject
    for subject, pairs in _TOGETHER.items():
        if any(_holds(words, *pair.split()) for pair in pairs):
            return subject
    said = _said(words)
    by_themselves = (subject for subject, names in _BY_THEMSELVES.items() if said and said <= {*names})
    whole = (subject for subject, names in _WHOLE.items() if " ".join(words) in names)
    return next(by_themselves, None) or next(whole, None)


def _said(words: list[str]) -> set[str]:
    """The words of a name that say what the field is about."""
    return {word for word in words if word not in _SAYS_NOTHING and not word.isdigit()}


def _holds(words: list[str], first: str, second: str) -> bool:
    """Whether both words are among these, or stand in one without a separator."""
    return {first, second} <= {*words} or first + second in words


def _words(name: str) -> list[str]:
    """The words of a name in lower case without accents: between separators, digits and capitals."""
    letters = "".join(letter for letter in normalize("NFKD", name) if not combining(letter))
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", letters).lower())
