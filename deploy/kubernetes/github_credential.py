"""A credential for kubectl: the OpenID Connect token of a job of GitHub Actions, which the cluster's API trusts.

Prints an ExecCredential. A token lives for minutes and a deploy for longer, so kubectl asks for one each time; it is
kept, readable by this user alone, until it is about to end. Usage: github_credential.py AUDIENCE CACHE
"""

import base64
import json
import os
import sys
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

ENDS_SOON = 60.0  # seconds
ANSWERS_WITHIN = 30.0
ATTEMPTS, PAUSE = 3, 1.0
ADDRESS, SECRET = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"


def ends_at(token: str) -> float:
    """When a JSON Web Token expires, in seconds since 1970."""
    claims = token.split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return float(found["exp"])


def fetched(audience: str) -> str:
    """A new token; raises KeyError outside of a job that may ask for one, OSError where GitHub does not answer."""
    for _ in range(ATTEMPTS - 1):
        try:
            return asked(audience)
        except OSError:
            time.sleep(PAUSE)
    return asked(audience)


def asked(audience: str) -> str:
    """The same at the first attempt."""
    url = f"{os.environ[ADDRESS]}&{urlencode({'audience': audience})}"
    request = Request(url, headers={"Authorization": f"Bearer {os.environ[SECRET]}"})  # noqa: S310 - the runner's own
    with urlopen(request, timeout=ANSWERS_WITHIN) as answer:  # noqa: S310 - the same
        return str(json.load(answer)["value"])


def current(audience: str, cache: Path) -> str:
    """The token that is kept, or a new one once it ends soon; to its end where GitHub gives no other."""
    kept = cache.read_text(encoding="utf-8") if cache.exists() else ""
    ends = ends_at(kept) if kept else 0.0
    if ends > time.time() + ENDS_SOON:
        return kept
    try:
        token = fetched(audience)
    except OSError:
        if ends > time.time():
            return kept
        raise
    part = cache.with_name(f"{cache.name}.{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(token, encoding="utf-8")
    part.replace(cache)
    return token


def main(audience: str, cache: Path) -> int:
    """The exit code."""
    try:
        token = current(audience, cache)
    except KeyError as error:
        print(f"error: {error.args[0]} is not set: the job needs `permissions: id-token: write`.", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: GitHub gave no token ({error}); run the job again.", file=sys.stderr)
        return 1
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends_at(token)))
    status = {"token": token, "expirationTimestamp": ends}
    print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
