"""Why an object store refuses, in our words: the library's text holds requests, responses and access keys."""

import re
from collections.abc import Mapping
from typing import Final

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")  # S3, Google and Azure name their errors in XML alike
_NO_BUCKET: Final = frozenset({"NoSuchBucket", "ContainerNotFound"})
_NO_CREDENTIALS: Final = (  # the cloud's own machine is asked last, which isn't there elsewhere
    "169.254.169.254",
    "metadata.google.internal",
    "Missing AccessKeyId",
    "Missing SecretAccessKey",
    "Account must be specified",
)
_VARIABLES: Final[Mapping[str, str]] = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "abfss": "AZURE_STORAGE_ACCOUNT_KEY",
}
_ENDPOINTS: Final[Mapping[str, str]] = {"s3": "AWS_ENDPOINT_URL", "gs": "GOOGLE_BASE_URL"}


def explain(error: Exception, root: str) -> str:  # noqa: PLR0911 - a table: each refusal has its advice
    """Return what follows "The sink": what the store at `root` said, and what to do."""
    text = str(error)
    scheme = root.partition(":")[0]
    codes = " ".join(found[1] for pattern in (_STATUS, _CODE) if (found := pattern.search(text)))
    if any(sign in text for sign in _NO_CREDENTIALS):
        return f"can't be used: no credentials are set. Set {_VARIABLES[scheme]} where the workers run."
    if _NO_BUCKET & set(codes.split()):
        return f"can't be used: there is no {root} ({codes}). Create it, or correct the URL."
    if isinstance(error, FileNotFoundError):
        return "has no such file. Is the URL right, and does its bucket exist?"
    if {"401", "403"} & set(codes.split()):
        return (
            f"refuses these credentials ({codes}). Check {_VARIABLES[scheme]} where the workers run, and their rights."
        )
    if "incorrectly configured region" in text:
        return "is in another region. Set AWS_REGION to the bucket's."
    if "builder error" in text:
        return (
            "can't be used: its endpoint is plain http. Set AWS_ALLOW_HTTP=true where the workers run, if it is yours."
        )
    if codes:
        return f"refuses ({codes}). Look up what the store means by that, or choose another sink."
    endpoint = f", and {_ENDPOINTS[scheme]} right" if scheme in _ENDPOINTS else ""
    return f"can't be reached. Is the network up{endpoint}?"
