"""The door for files that people apply: bytes in, Deployments out, or what was expected where.

Fields that only the server sets (``status``, ``metadata.generation`` and the like) are left out, so
that what ``fleet get -o yaml`` printed can be applied again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fleet_core.contracts.base import canonical_json, decode, encode, unknown_fields
from fleet_core.contracts.buckets import DEPLOYMENTS, DESIRED_STATE, KIB
from fleet_core.contracts.resources import Deployment
from fleet_core.contracts.text import printable
from fleet_core.errors import InvalidInputError
from fleet_core.operations.documents import read_documents
from fleet_core.operations.yaml_events import DocumentError

if TYPE_CHECKING:
    from fleet_core.operations.yaml_events import Document

MAX_BYTES: Final = 2_000_000
_SERVER_SET_METADATA: Final = frozenset(
    {
        "creationTimestamp",
        "deletionTimestamp",
        "finalizers",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One Deployment as a file says it should be."""

    deployment: Deployment
    document: int
    """Which document of the file, from 1."""
    unknown: tuple[str, ...]
    """Paths of fields that this version does not know: often typing slips."""


class ManifestError(InvalidInputError):
    """A file was refused; the message names file, document, line and field, as far as known."""

    def __init__(  # noqa: PLR0913 - the parts of one message
        self, source: str, said: str, *, document: int = 0, line: int = 0, path: str, expected: str
    ) -> None:
        places = [
            source,
            f"document {document}" if document else "",
            f"line {line}" if line else "",
            printable(path, 200),
        ]
        place = ", ".join(filter(None, places))
        message = f"{place}: {printable(said, 500)}"
        if expected and expected not in said:
            message += f"; expected {expected}"
        super().__init__(message, path=path, expected=expected)
        self.source = source
        self.document = document
        self.line = line


def read_manifests(data: bytes, source: str) -> list[Manifest]:
    """Return the Deployments of a YAML or JSON file, at least one.

    Raises:
        ManifestError: too large, not UTF-8, not YAML, or not Deployments.
    """
    text = _text(data, source)
    try:
        documents = read_documents(text)
    except DocumentError as error:
        raise _located(error, source) from error
    manifests = [_manifest(document, source) for document in documents]
    if not manifests:
        raise ManifestError(source, "it is empty", path="", expected="at least one Deployment")
    _refuse_repeated(manifests, source)
    return manifests


def _text(data: bytes, source: str) -> str:
    if len(data) > MAX_BYTES:
        said = f"{len(data):,} bytes are too many"
        raise ManifestError(source, said, path="", expected=f"at most {MAX_BYTES:,} bytes")
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise ManifestError(source, "it holds a NUL", line=line, path="", expected="text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        said = f"byte {error.start} is not UTF-8"
        raise ManifestError(source, said, line=line, path="", expected="UTF-8") from error


def _located(error: DocumentError, source: str) -> ManifestError:
    return ManifestError(
        source,
        error.message,
        document=error.document,
        line=error.line,
        path=error.path,
        expected=error.expected,
    )


def _manifest(document: Document, source: str) -> Manifest:
    value = document.value
    if not isinstance(value, dict):
        raise _refused(document, source, "it is no map", "", "a Deployment")
    try:
        deployment = decode(Deployment, canonical_json(_without_server_set(value)), limit_bytes=_NO)
    except InvalidInputError as error:
        raise _refused(document, source, error.expected, error.path, "") from error
    except UnicodeEncodeError as error:
        said = "it holds half of a character"
        raise _refused(document, source, said, "", "text that UTF-8 can carry") from error
    except ValueError as error:
        said = "it holds a number without end"
        raise _refused(document, source, said, "", "finite numbers") from error
    _refuse_large(document, source, deployment)
    return Manifest(deployment, document.number, tuple(unknown_fields(deployment)))


_NO: Final = 16 * MAX_BYTES
"""The file is bounded already: canonical JSON of it may be somewhat longer than its YAML."""


def _without_server_set(value: dict[str, Any]) -> dict[str, Any]:
    kept = {name: part for name, part in value.items() if name != "status"}
    metadata = kept.get("metadata")
    if isinstance(metadata, dict):
        kept["metadata"] = {
            name: part for name, part in metadata.items() if name not in _SERVER_SET_METADATA
        }
    return kept


def _refuse_large(document: Document, source: str, deployment: Deployment) -> None:
    for what, path, part, spec in (
        ("the score", "spec.score", deployment.spec.score, DESIRED_STATE),
        ("the Deployment", "", deployment, DEPLOYMENTS),
    ):
        size = len(encode(part))
        # A few bytes are left for what the server sets.
        if size > spec.max_value_bytes - KIB:
            said = f"{what} has {size:,} bytes"
            expected = f"at most {spec.max_value_bytes - KIB:,}"
            raise _refused(document, source, said, path, expected)


def _refuse_repeated(manifests: list[Manifest], source: str) -> None:
    seen: dict[tuple[str, str], int] = {}
    for manifest in manifests:
        key = manifest.deployment.key
        if key in seen:
            raise ManifestError(
                source,
                f"{'/'.join(key)} stands in document {seen[key]} already",
                document=manifest.document,
                path="metadata.name",
                expected="each Deployment once",
            )
        seen[key] = manifest.document


def _refused(document: Document, source: str, said: str, path: str, expected: str) -> ManifestError:
    return ManifestError(
        source,
        said,
        document=document.number,
        line=document.line_of(path),
        path=path,
        expected=expected,
    )
