import datetime
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sessions.providers.base import ProviderError, Secret
from sessions.providers.egress import (
    AddressBlockedError,
    check_address,
    check_url,
    http_session,
    is_allowed,
    usable_key,
    wire_errors,
)

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "93.184.215.14", "104.18.7.192", "172.15.255.255",
    "172.32.0.0", "192.167.255.255", "192.169.0.0", "223.255.255.255",
    "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450:4001::1", "2620:fe::fe",
]  # fmt: skip
LOCAL = [
    "127.0.0.1", "127.255.255.254", "10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
    "192.168.255.255", "::1", "0:0:0:0:0:0:0:1", "fc00::1", "fd12:3456:789a::1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "100.64.0.1", "100.100.100.200", "100.127.255.255", "168.63.129.16", "169.254.0.1",
    "169.254.169.254", "169.254.170.2", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::7f00:1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:8.8.8.8", "::ffff:0:7f00:1",
    "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:53aa:64c::1", "2001:20::1",
    "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fd00:ec2::254",
    "fd20:ce::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
NOT_AN_ADDRESS = ["", "localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "1.1.1.1 ", "1.1.1.1.", "[::1]"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed_with_and_without_local_ones(address: str) -> None:
    assert (is_allowed(address, False), is_allowed(address, True)) == (True, True)


@pytest.mark.parametrize("address", LOCAL)
def test_a_local_address_is_allowed_only_where_local_ones_are(address: str) -> None:
    assert (is_allowed(address, False), is_allowed(address, True)) == (False, True)


@pytest.mark.parametrize("address", NEVER + NOT_AN_ADDRESS)
def test_any_other_address_is_never_allowed(address: str) -> None:
    assert (is_allowed(address, False), is_allowed(address, True)) == (False, False)


LOOPBACK_URLS = [
    "https://127.0.0.1", "https://127.1", "https://127.0.1", "https://0x7f.1", "https://0x7f000001",
    "https://2130706433", "https://0177.0.0.1", "https://017700000001", "https://127。0。0。1",
    "https://①②⑦.⓪.⓪.①", "https://[::1]", "https://[0:0:0:0:0:0:0:1]", "https://localhost", "https://LOCALHOST",
]  # fmt: skip


@pytest.mark.parametrize("url", LOOPBACK_URLS)
async def test_every_spelling_of_the_loopback_is_blocked(url: str) -> None:
    with pytest.raises(ProviderError, match="address_blocked"):
        await check_address(url, allow_local=False)


@pytest.mark.parametrize("url", LOOPBACK_URLS)
async def test_every_spelling_of_the_loopback_is_resolved_where_local_providers_are_allowed(url: str) -> None:
    assert set(await check_address(url, allow_local=True)) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize(
    "url",
    [
        "", "api.example.com", "https://", "https:///v1", "ftp://example.com", "file:///etc/passwd", "gopher://h",
        "https://user@example.com", "https://user:pass@example.com", "https://:pass@example.com",
        "https://example.com:99999", "https://exa mple.com", "https://127.0.0.1%00.example.com",
        "https://%31%32%37.0.0.1", "https://[fe80::1%25eth0]", "https://127.0.0.1\\@example.com", "https://[::1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("allow_local", [False, True])
def test_an_odd_url_is_blocked(url: str, allow_local: bool) -> None:
    with pytest.raises(ProviderError, match="address_blocked"):
        check_url(url, allow_local)


@pytest.mark.parametrize("url", ["http://example.com", "https://example.com:22", "https://example.com:6379"])
def test_plain_http_and_unusual_ports_are_for_local_providers_only(url: str) -> None:
    assert check_url(url, allow_local=True).host == "example.com"
    with pytest.raises(ProviderError, match="address_blocked"):
        check_url(url, allow_local=False)


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "0.0.0.0", "[::ffff:169.254.169.254]"])
async def test_metadata_services_stay_blocked_where_local_providers_are_allowed(host: str) -> None:
    with pytest.raises(ProviderError, match="address_blocked"):
        await check_address(f"http://{host}/latest", allow_local=True)


async def test_a_name_that_does_not_resolve_is_a_failed_connection() -> None:
    with pytest.raises(ProviderError, match="connect_failed"):
        await check_address("https://no-such-host.invalid", allow_local=False)


async def test_a_label_too_long_for_dns_is_not_a_crash() -> None:
    with pytest.raises(ProviderError):
        await check_address(f"https://{'a' * 80}.example", allow_local=False)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_the_socket_is_refused_whatever_was_checked_before(mock: Any, host: str) -> None:
    url = mock.url.replace("127.0.0.1", host) + "/v1/models"
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        await http_session(allow_local=False).get(url)
    assert isinstance(caught.value.__cause__, AddressBlockedError)
    assert "/v1/models" not in mock.stats()["by_path"]


async def test_a_blocked_socket_is_reported_as_a_blocked_address(mock: Any) -> None:
    with pytest.raises(ProviderError, match="address_blocked"), wire_errors():
        await http_session(allow_local=False).get(mock.url)


async def test_proxy_variables_are_ignored(mock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with http_session(allow_local=True).get(mock.url + "/v1/models") as response:
        assert response.status == 200


async def test_one_loop_has_one_session_for_public_and_one_for_local_providers() -> None:
    assert http_session(allow_local=True) is http_session(allow_local=True)
    assert http_session(allow_local=True) is not http_session(allow_local=False)


async def test_a_certificate_nobody_vouches_for_is_a_failed_connection(tmp_path: Path, replying: Any) -> None:
    async with replying(b"", tls=_self_signed(tmp_path)) as url:
        with pytest.raises(ProviderError, match="connect_failed"), wire_errors():
            await http_session(allow_local=True).get(url)


@pytest.mark.parametrize("key", ["", " ", "\t\n"])
def test_a_blank_key_is_no_key(key: str) -> None:
    with pytest.raises(ProviderError, match="no_key"):
        usable_key(Secret(key))


@pytest.mark.parametrize("key", ["sk-1\r\nX-Admin: 1", "sk-ключ", "sk-\x00"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ProviderError, match="provider_auth"):
        usable_key(Secret(key))


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
