"""Addresses that a server can give and that must not be followed, and the connections that a test tries."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

UNSAFE = {
    "loopback": "http://127.0.0.1/film.mp4",
    "loopback over https": "https://127.0.0.1/film.mp4",
    "loopback, not the first": "https://127.8.9.1/film.mp4",
    "unspecified": "https://0.0.0.0/film.mp4",
    "private, class A": "https://10.1.2.3/film.mp4",
    "private, class B": "https://172.16.0.1/film.mp4",
    "private, class C": "https://192.168.1.1/film.mp4",
    "carrier's own": "https://100.64.0.1/film.mp4",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "Tencent's metadata": "http://metadata.tencentyun.com/latest/meta-data/",
    "metadata by name": "https://metadata.google.internal/computeMetadata/v1/",
    "multicast": "https://224.0.0.1/film.mp4",
    "broadcast": "https://255.255.255.255/film.mp4",
    "benchmarks": "https://198.18.0.1/film.mp4",
    "loopback, v6": "https://[::1]/film.mp4",
    "unspecified, v6": "https://[::]/film.mp4",
    "mapped": "https://[::ffff:10.0.0.1]/film.mp4",
    "mapped, in hexadecimal": "https://[::ffff:a01:203]/film.mp4",
    "compatible": "https://[::127.0.0.1]/film.mp4",
    "unique local": "https://[fd00:ec2::254]/film.mp4",
    "link local": "https://[fe80::1]/film.mp4",
    "link local with a scope": "https://[fe80::1%25eth0]/film.mp4",
    "6to4": "https://[2002:7f00:1::]/film.mp4",
    "Teredo": "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/film.mp4",
    "NAT64": "https://[64:ff9b::a00:1]/film.mp4",
    "protocol assignments": "https://192.0.0.192/film.mp4",
    "protocol assignments, anycast": "https://192.0.0.9/film.mp4",
    "documentation": "https://203.0.113.1/film.mp4",
    "6to4 relays": "https://192.88.99.1/film.mp4",
    "reserved": "https://240.0.0.1/film.mp4",
    "the host of Azure's machines": "https://168.63.129.16/film.mp4",
    "site local": "https://[fec0::1]/film.mp4",
    "segment routing": "https://[5f00::1]/film.mp4",
    "documentation, v6": "https://[2001:db8::1]/film.mp4",
    "documentation, v6, new": "https://[3fff::1]/film.mp4",
    "ORCHID": "https://[2001:20::1]/film.mp4",
    "discard": "https://[100::1]/film.mp4",
    "multicast, v6": "https://[ff0e::1]/film.mp4",
    "reserved, v6": "https://[4000::1]/film.mp4",
    "translated": "https://[::ffff:0:7f00:1]/film.mp4",
    "translated, public": "https://[::ffff:0:808:808]/film.mp4",
    "compatible, public": "https://[::8.8.8.8]/film.mp4",
    "local NAT64": "https://[64:ff9b:1::808:808]/film.mp4",
    "benchmarks, mapped": "https://[::ffff:198.18.0.1]/film.mp4",
    "a qualified address": "https://127.0.0.2./film.mp4",
    "a number behind a name": "https://qq.com.127/film.mp4",
    "an empty label": "https://mp..weixin.qq.com/film.mp4",
    "a semicolon": "https://latest;.qq.com/film.mp4",
    "a percent sign": "https://127%2e0.qq.com/film.mp4",
    "an underscore": "http://a_b.qq.com/film.mp4",
    "a hyphen in front": "http://-a.qq.com/film.mp4",
    "a label without end": f"https://{'x' * 64}.qq.com/film.mp4",
    "a name without end": f"https://{'x.' * 130}qq.com/film.mp4",
    "no name in front of it": "http://.qq.com/film.mp4",
    "the home network": "https://router.home.arpa/film.mp4",
    "a path that is no media host": "http://8.8.8.8/latest;.qq.com/film.mp4",
    "a path that ends as a media host": "http://8.8.8.8/%3f.qq.com/film.mp4",
    "a path with an empty name": "http://8.8.8.8/.qq.com/film.mp4",
    "a path with a user": "http://8.8.8.8/a@b.qq.com/film.mp4",
    "decimal": "https://2130706433/film.mp4",
    "hexadecimal": "https://0x7f000001/film.mp4",
    "hexadecimal, short": "https://0x7f.1/film.mp4",
    "octal": "https://0177.0.0.1/film.mp4",
    "short": "https://127.1/film.mp4",
    "full-width digits": "https://１２７.０.０.１/film.mp4",
    "circled digits": "https://①②⑦.⓪.⓪.①/film.mp4",
    "ideographic stops": "https://127。0。0。1/film.mp4",
    "localhost": "https://localhost/film.mp4",
    "localhost, qualified": "https://LOCALHOST./film.mp4",
    "below localhost": "https://qq.com.localhost/film.mp4",
    "a bare name": "https://intranet/film.mp4",
    "a user name": "https://mp.weixin.qq.com@127.0.0.1/film.mp4",
    "a password": "https://:x@mp.weixin.qq.com/film.mp4",
    "a backslash": "https://mp.weixin.qq.com\\@127.0.0.1/film.mp4",
    "a line break": "https://mp.weixin.qq.com/film\r\nHost: x",
    "another port": "https://mp.weixin.qq.com:6379/film.mp4",
    "http elsewhere": "http://example.com/film.mp4",
    "http at a look-alike": "http://evilqq.com/film.mp4",
    "http below another": "http://qq.com.example.com/film.mp4",
    "http at a bare address": "http://203.205.158.71/film.mp4",
    "a file": "file:///etc/passwd",
    "ftp": "ftp://mp.weixin.qq.com/film.mp4",
    "a script": "javascript:alert(1)",
    "no scheme": "//mp.weixin.qq.com/film.mp4",
    "nothing": "",
    "no URL": "http://[::1",
}


class Sockets:
    """Counts the connections that this process tries to make."""

    watching: "Sockets | None" = None

    def __init__(self) -> None:
        self.connects: list[object] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and Sockets.watching is not None:
        Sockets.watching.connects.append(arguments[1])


@cache
def _install() -> None:
    """Install the hook, which stays for as long as the process lives and is called for all its events."""
    sys.addaudithook(_audit)


@contextmanager
def watched_sockets() -> Iterator[Sockets]:
    """Record the connections that this process tries to make."""
    _install()
    Sockets.watching = watching = Sockets()
    yield watching
    Sockets.watching = None
