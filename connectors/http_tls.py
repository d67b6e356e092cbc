"""Whom a source is trusted to be, and the certificate that we show it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from connectors.base import ConnectorError, Failure, Options
from connectors.http_get import Tls
from connectors.strict import Phrase


def _spelled_out(verify: object) -> object:
    if verify not in (True, "unsafe"):
        raise ValueError(
            "不校验证书，任何人都可冒充对方 (verify off): 自签的证书请写 ca_file；确需不校验，请写 verify: unsafe"
        )
    return verify


class TlsOptions(Options):
    """Files are relative to the book."""

    ca_file: str | None = None  # authorities to trust instead of the public ones, PEM
    verify: Annotated[Literal[True, "unsafe"], Phrase(_spelled_out, Any)] = True
    cert_file: str | None = None  # our certificate, PEM
    key_file: str | None = None  # the key of our certificate, PEM without a passphrase

    def __post_init__(self) -> None:
        if (self.cert_file is None) is not (self.key_file is None):
            raise ValueError("cert_file 和 key_file 须一起写 (certificate and key)")
        if self.ca_file is not None and self.verify != True:  # noqa: E712  # "unsafe" is the other value
            raise ValueError("ca_file 与 verify: unsafe 不能并用 (contradiction)")

    def tls(self, folder: Path) -> Tls:
        """The settings of a call. Raises ConnectorError MISCONFIGURED for a file that is not there."""
        for name in (self.ca_file, self.cert_file, self.key_file):
            if name is not None and not (folder / name).is_file():
                raise ConnectorError(
                    Failure.MISCONFIGURED, f"没有证书文件 {folder / name} (no such file)", retryable=False
                )
        cert = (str(folder / self.cert_file), str(folder / self.key_file)) if self.cert_file and self.key_file else None
        if self.verify == "unsafe":
            return Tls(verify=False, cert=cert)
        return Tls(str(folder / self.ca_file) if self.ca_file else True, cert)
