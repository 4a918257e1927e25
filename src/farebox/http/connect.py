"""Owns how a connection to a vendor comes about: names, sockets, proxy, TLS; refuses addresses the policy does not allow."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from farebox.http.limits import ClientLimits, Timeouts
from farebox.http.origin import Origin
from farebox.ir.errors import ConnectTimeout, InvalidRequest, TlsFailed, Unreachable

PROXY_HEAD_BYTES = 16_384

Address = tuple[socket.AddressFamily, tuple[str, int]]
Policy = Callable[[str], bool]


class Dialler:
    """Opens connected sockets; remembers names for a short while."""

    __slots__ = ("_limits", "_loop", "_names", "_policy", "_proxy", "_tls")

    def __init__(
        self, *, limits: ClientLimits, tls: ssl.SSLContext | None, proxy: str | None, policy: Policy | None
    ) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._names: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._policy = policy
        self._proxy = None if proxy is None else Proxy(proxy)
        self._tls = tls

    async def open(
        self, origin: Origin, timeouts: Timeouts, factory: Callable[[], asyncio.Protocol]
    ) -> asyncio.BaseProtocol:
        """A connection to the origin with its TLS handshake done, or one of the classes that mean 'not accepted'."""
        sock = await self._socket(origin, timeouts)
        try:
            if origin.scheme != "https":
                return (await self._loop.create_connection(factory, sock=sock))[1]
            async with asyncio.timeout(timeouts.tls_s):
                _, protocol = await self._loop.create_connection(
                    factory,
                    sock=sock,
                    ssl=self._tls,
                    server_hostname=origin.host,
                    ssl_handshake_timeout=timeouts.tls_s + 1,
                )
            return protocol
        except TimeoutError:
            sock.close()
            raise ConnectTimeout("The provider did not finish the TLS handshake in time.") from None
        except (ssl.SSLError, ssl.CertificateError) as error:
            sock.close()
            raise TlsFailed(detail=str(error)) from None
        except OSError as error:
            sock.close()
            failure = TlsFailed if origin.scheme == "https" else Unreachable
            raise failure(detail=str(error)) from None
        except BaseException:
            sock.close()
            raise

    async def _socket(self, origin: Origin, timeouts: Timeouts) -> socket.socket:
        try:
            async with asyncio.timeout(timeouts.connect_s):
                if origin.scheme == "unix":
                    return await self._connect(socket.AF_UNIX, origin.socket)
                if self._proxy is None:
                    return await self._dial(origin.host, origin.target_port, timeouts, self._policy)
                sock = await self._dial(self._proxy.host, self._proxy.port, timeouts, None)
                return await self._tunnel(sock, self._proxy, origin)
        except TimeoutError:
            raise ConnectTimeout() from None
        except OSError as error:
            raise Unreachable(detail=str(error)) from None

    async def _dial(self, host: str, port: int, timeouts: Timeouts, policy: Policy | None) -> socket.socket:
        addresses = await self._resolve(host, port)
        if policy is not None and not all(policy(address[0]) for _, address in addresses):
            raise InvalidRequest("This address may not be fetched.", path=None, reason="url_not_allowed")
        share_s = timeouts.connect_s / len(addresses)
        failure: OSError = OSError("no address")
        for index, (family, address) in enumerate(addresses):
            last = index == len(addresses) - 1
            try:
                async with asyncio.timeout(None if last else share_s):
                    return await self._connect(family, address)
            except OSError as error:  # TimeoutError is one
                if last and isinstance(error, TimeoutError):
                    raise
                failure = error
        self._names.pop((host, port), None)
        raise failure

    async def _connect(self, family: int, address: tuple[str, int] | str) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.sock_connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return sock

    async def _resolve(self, host: str, port: int) -> list[Address]:
        now = self._loop.time()
        known = self._names.get((host, port))
        if known is not None and known[0] > now:
            return known[1]
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise Unreachable("The provider's name is not valid.", detail=str(error)) from None
        addresses = interleave([(entry[0], (str(entry[4][0]), int(entry[4][1]))) for entry in found])
        if not addresses:
            raise Unreachable("The provider's name has no address.")
        if len(self._names) >= self._limits.dns_names:
            self._names.clear()
        self._names[host, port] = (now + self._limits.dns_s, addresses)
        return addresses

    async def _tunnel(self, sock: socket.socket, proxy: "Proxy", origin: Origin) -> socket.socket:
        """Ask the proxy for a tunnel; its answer must be a bare 200 head."""
        try:
            await self._loop.sock_sendall(sock, proxy.request(origin))
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = await self._loop.sock_recv(sock, 4096)
                answer += piece
                if not piece or len(answer) > PROXY_HEAD_BYTES:
                    raise Unreachable("The proxy did not open a tunnel.")
            if not answer.endswith(b"\r\n\r\n") or answer[:7] != b"HTTP/1." or answer[8:11] != b" 20":
                raise Unreachable("The proxy did not open a tunnel.")
        except BaseException:
            sock.close()
            raise
        return sock


class Proxy:
    """An explicitly configured CONNECT proxy."""

    __slots__ = ("_authorization", "host", "port")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("The proxy must be given as http://host:port")
        self.host = parts.hostname
        self.port = parts.port or 3128
        self._authorization = b""
        if parts.username is not None:
            pair = f"{parts.username}:{parts.password or ''}".encode()
            self._authorization = b"Proxy-Authorization: Basic %s\r\n" % base64.b64encode(pair)

    def request(self, origin: Origin) -> bytes:
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        target = f"{host}:{origin.target_port}".encode("ascii")
        return b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (target, target, self._authorization)


def interleave(addresses: list[Address]) -> list[Address]:
    """First family first, then alternating, so that one broken family costs one attempt only; at most six."""
    unique = list(dict.fromkeys(addresses))
    first = [entry for entry in unique if entry[0] == unique[0][0]]
    other = [entry for entry in unique if entry[0] != unique[0][0]]
    mixed: list[Address] = []
    while first or other:
        if first:
            mixed.append(first.pop(0))
        if other:
            mixed.append(other.pop(0))
    return mixed[:6]
