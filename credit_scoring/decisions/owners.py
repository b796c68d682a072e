"""How the log names who asked: the key's name, or `owner/name` where its owner has another name.

The owner can be read back, so the hash over `asked_by` covers it too. Names of keys and owners hold no slash.
"""

_BETWEEN = "/"


def sign(owner: str, key: str) -> str:
    """How a key of this owner is recorded."""
    return key if owner == key else f"{owner}{_BETWEEN}{key}"


def owner_of(signature: str) -> str:
    """Whose key it was; empty where no key was needed."""
    return signature.partition(_BETWEEN)[0]
