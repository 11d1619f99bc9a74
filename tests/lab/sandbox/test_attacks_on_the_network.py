"""Attacks over the network: no socket of any family, no name is resolved, nobody on this machine is reached."""

from __future__ import annotations

LEFT_OUT = {"no Landlock", "root, no namespaces"}

MUST_NOT = {
    "connect to a port of this machine": (
        "import socket\nsocket.create_connection(('127.0.0.1', $PORT), 5)\nprint('ESCAPED')"
    ),
    "connect to an abstract socket": (
        "import socket\nsocket.socket(socket.AF_UNIX).connect($ABSTRACT)\nprint('ESCAPED')"
    ),
    "send a datagram": (
        "import socket\nsocket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))\nprint('ESCAPED')"
    ),
    "listen": "import socket\nsocket.create_server(('127.0.0.1', 0))\nprint('ESCAPED')",
    "talk to the kernel by netlink": (
        "import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 0))\nprint('ESCAPED')"
    ),
    "make a pair that sends datagrams to others": (
        "import socket\nsocket.socketpair(type=socket.SOCK_DGRAM)\nprint('ESCAPED')"
    ),
    "serve http": (
        "import http.server\nhttp.server.HTTPServer(('127.0.0.1', 0), None)\nprint('ESCAPED')"
    ),
}  # fmt: skip
MUST_NOT_EITHER = {
    "make a raw socket": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\nprint('ESCAPED')",
    "capture packets": "import socket\nsocket.socket(17, socket.SOCK_RAW, 768)\nprint('ESCAPED')",
    "reach the host of a virtual machine": "import socket\nsocket.socket(40, socket.SOCK_STREAM)\nprint('ESCAPED')",
    "use a cipher of the kernel": "import socket\nsocket.socket(38, socket.SOCK_SEQPACKET)\nprint('ESCAPED')",
    "use IPv6": "import socket\nsocket.socket(socket.AF_INET6)\nprint('ESCAPED')",
    "resolve a name": "import socket\nsocket.getaddrinfo('example.org', 80)\nprint('ESCAPED')",
    "fetch a page": (
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:$PORT', timeout=5)\nprint('ESCAPED')"
    ),
}


def test_would_succeed_outside(shown_attack, check_outside):
    check_outside(shown_attack)


def test_fails(attack, check_attack):
    check_attack(attack, "error")


def test_asyncio_works_all_the_same(check_attack):
    code = (
        "import asyncio\nasync def answer():\n    await asyncio.sleep(0)\n    return 42\nfound = asyncio.run(answer())"
    )
    assert check_attack(code, "ok", value="found").value == 42
