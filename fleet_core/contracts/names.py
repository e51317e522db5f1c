"""Names of devices, deployments, containers, images and labels, checked on deserialising."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""RFC 1123 label: one NATS token, a Kubernetes ``metadata.name``, a podman container name."""

_DNS_LABEL = re.compile(DNS_LABEL.replace("$", r"\Z"))
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL_PREFIX_MAX = 253
IMAGE = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,510}$"
_IMAGE = re.compile(IMAGE.replace("$", r"\Z"))


def is_dns_label(text: str) -> bool:
    """Tell whether the text is an RFC 1123 label of 1 to 63 characters."""
    return _DNS_LABEL.match(text) is not None


def _dns_label(text: str) -> str:
    if not is_dns_label(text):
        raise ValueError(
            "expected 1 to 63 of a-z, 0-9 and '-', with a letter or digit at both ends"
        )
    return text


def _label_key(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    prefix_ok = not slash or (
        len(prefix) <= _LABEL_PREFIX_MAX and _LABEL_PREFIX.match(prefix) is not None
    )
    if not (prefix_ok and _LABEL_NAME.match(name)):
        raise ValueError("expected a Kubernetes label key, as 'site' or 'example.com/ring'")
    return text


def _label_value(text: str) -> str:
    if text and not _LABEL_NAME.match(text):
        raise ValueError(
            "expected a Kubernetes label value: at most 63 of letters, digits, '-', '_' and '.'"
        )
    return text


def _image(text: str) -> str:
    if not _IMAGE.match(text):
        raise ValueError("expected an image reference, as 'registry.example/web:1.4'")
    return text


def _utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("expected text that UTF-8 can carry") from error
    if "\0" in text:
        raise ValueError("expected text without NUL")
    return text


DnsLabel = Annotated[
    str, AfterValidator(_dns_label), Field(json_schema_extra={"pattern": DNS_LABEL})
]
DeviceId = DnsLabel
"""One label, without dots: ``a.b`` would alias another device's subjects."""
DeploymentName = DnsLabel
Namespace = DnsLabel
ContainerName = DnsLabel
LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
ImageReference = Annotated[str, AfterValidator(_image), Field(json_schema_extra={"pattern": IMAGE})]
SpecHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""The first 16 hex digits of a sha256."""
Generation = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""Counts changes of a spec; within what every JSON reader can hold."""

Text = Annotated[str, AfterValidator(_utf8)]

LabelMap = Annotated[dict[LabelKey, LabelValue], Field(max_length=64)]
"""Labels of a device or a resource, by Kubernetes' rules; at most 64."""
