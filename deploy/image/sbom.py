"""`python deploy/image/sbom.py IMAGE`: what an image is made of, as CycloneDX JSON on standard output.

Python's packages by their metadata and Debian's by dpkg, both asked inside the image. Needs docker and what `make sbom`
installs.
"""

import json
import subprocess
import sys
from collections.abc import Iterator

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

PYTHON_PACKAGES = (
    "import json, importlib.metadata as m; "
    "print(json.dumps(sorted({(d.metadata['Name'], d.version) for d in m.distributions()})))"
)
DEBIAN_PACKAGES = "${Package}\t${Version}\t${Architecture}\n"


def inside(image: str, program: str, *arguments: str) -> str:
    """What a program prints in a container of this image."""
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", program, image, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - docker


def packages(image: str) -> Iterator[PackageURL]:
    """The packages in an image."""
    for name, version in json.loads(inside(image, "python", "-c", PYTHON_PACKAGES)):
        yield PackageURL("pypi", name=name.lower().replace("_", "-"), version=version)
    for line in inside(image, "dpkg-query", "--show", "--showformat", DEBIAN_PACKAGES).splitlines():
        name, version, architecture = line.split("\t")
        yield PackageURL("deb", "debian", name, version, {"arch": architecture})


def described(image: str) -> str:
    """The bill of materials of an image, valid against CycloneDX 1.6."""
    bom = Bom()
    root = Component(name=image, type=ComponentType.CONTAINER, bom_ref=image)
    bom.metadata.component = root
    bom.components = [Component(name=p.name, version=p.version, purl=p, bom_ref=str(p)) for p in packages(image)]
    bom.register_dependency(root, bom.components)
    written = JsonV1Dot6(bom).output_as_string(indent=1)
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(written):
        raise SystemExit(f"The bill of materials of {image} is not valid: {problem}")
    return written


def main() -> None:
    """Read the command line; one message where docker cannot do it."""
    if len(sys.argv) != 2:
        raise SystemExit("Usage: python deploy/image/sbom.py IMAGE")
    try:
        print(described(sys.argv[1]))
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"docker could not look into {sys.argv[1]}: {error.stderr.strip()}") from error


if __name__ == "__main__":
    main()
