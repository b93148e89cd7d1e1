"""Where a webhook may go: URLs as they are given, and what names turn out to be."""

from __future__ import annotations

import re

import pytest

from project.webhooks.addresses import URL, NotPublic, is_public, judge, judge_url, parts

PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1"),
    *("5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"),
    *("2606:4700::1%eth0", "", "localhost", "1.1", "example.org"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0"),
    *("126.255.255.255", "128.0.0.1", "169.253.0.1", "172.15.255.255", "172.32.0.0"),
    *("192.0.1.1", "192.167.0.1", "198.17.0.1", "198.20.0.1", "223.255.255.255"),
    *("2001:200::1", "2001:4860:4860::8888", "2606:4700:4700::1111", "2003::1", "2a00::1"),
]
SPELLED = [  # of loopback, and of others that are not public
    *("127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "0X7F000001", "2130706433"),
    *("017700000001", "0177.0.0.1", "0177.0x0.1", "127.0.0.1.", "127.1.", "0", "0x0", "0x"),
    *("localhost", "LocalHost", "localhost.", "a.localhost", "a.b.LOCALHOST."),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::7f00:1]"),
    *("[64:ff9b::127.0.0.1]", "[2002:7f00:1::1]", "[fd00::1]", "[fe80::1]", "[ff02::1]"),
    *("10.0.0.1", "10.1", "167772161", "192.168.1", "169.254.169.254", "0xa9fea9fe", "100.64.1"),
    *("1.2.3.4.5", "256.1.1.1", "1.2.3.999", "4294967296", "999999999999", "a.1", "0x7f.0.0.0x1"),
    *("[:::]", "[12345::]"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_not(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("found", [["8.8.8.8", "10.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["::1"], []])
def test_one_address_that_is_not_public_is_one_too_many(found: list[str]) -> None:
    """Or whoever answers a name with two could choose which of them is used."""
    with pytest.raises(NotPublic):
        judge(found)


def test_each_address_is_tried_once_in_the_order_of_the_answer() -> None:
    assert judge(["8.8.8.8", "2a00::1", "8.8.8.8"]) == ["8.8.8.8", "2a00::1"]


@pytest.mark.parametrize("host", SPELLED)
@pytest.mark.parametrize("around", ["http://{}", "https://{}:8443/path?query"])
def test_no_spelling_of_a_literal_address_gets_by(host: str, around: str) -> None:
    url = around.format(host)
    assert re.fullmatch(URL, url)
    with pytest.raises(NotPublic):
        judge_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "https://example.org/",
        "https://example.org?a=b&c=%20",
        "https://example.org:65535/a/b;c=d?e=f/g?h",
        "https://a_b.xn--bcher-kva.example./",
        "https://8.8.8.8/",
        "https://134744072/",
        "https://[2001:4860:4860::8888]:443/",
        "https://localhost.example.org/",
        "https://notlocalhost/",
        "https://1password.example/",
    ],
)
def test_whatever_may_be_public_is_taken(url: str) -> None:
    assert re.fullmatch(URL, url)
    judge_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "http:",
            "http://",
            "http:///path",
            "//example.org",
            "example.org",
            "ftp://a.example",
        ),
        *("HTTP//a.example", "file:///etc/passwd", "http:/a.example", "javascript:alert(1)"),
        *("http://user@a.example", "http://user:pw@a.example/", "http://@a.example", "http://a@"),
        *("http://a.example#fragment", "http://a.example/#", "http://a.example\\@b.example/"),
        *("http://a.example\\b", "http://a.example/b\\c", "http://a..example", "http://.a.example"),
        *("http://-a.example", "http://a-.example", "http://a.example:", "http://a.example:0"),
        *(
            "http://a.example:65536",
            "http://a.example:99999",
            "http://a.example:8 0",
            "http://a:-1",
        ),
        *("http://a example", "http://a.example/a b", "http://a.example/\n", "http://a.example\t/"),
        *(
            "http://a.example/\r\nHost: b",
            "http://bücher.example",
            "http://\uff11\uff12\uff17.0.0.1/",
        ),
        *(
            "http://127。0。0。1/",
            "http://%31%32%37.1/",
            "http://a.example%00/",
            "http://[::1",
            "http://::1/",
        ),
        *(
            "http://[fe80::1%25eth0]/",
            "http://[::1]a/",
            "http://[localhost]/",
            "http://[1.2.3.4]",
            f"http://{'a' * 64}.example",
        ),
    ],
)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    assert not re.fullmatch(URL, url)


def test_a_url_falls_into_its_parts() -> None:
    assert parts("http://Example.org") == ("http", "Example.org", "Example.org", 80, "/")
    assert parts("https://[2a00::1]?a=b") == ("https", "[2a00::1]", "2a00::1", 443, "/?a=b")
    assert parts("https://a.example.:8443/b?c") == (
        *("https", "a.example.:8443", "a.example", 8443, "/b?c"),
    )
