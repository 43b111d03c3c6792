/* tests/unit/http/block_cases.h - header blocks, and the status that each deserves (0: well-formed). block.c
 * is given them directly; server.c gets them over a socket, at once and byte by byte. */
#ifndef BLOCK_CASES_H
#define BLOCK_CASES_H

#include "util/str.h"

struct block_case {
    berth_str text;
    int status;
};

#define BLOCK(status, text)                                                                                  \
    {                                                                                                        \
        {"" text, sizeof(text) - 1}, (status)                                                                \
    }
#define GET_LINE "GET / HTTP/1.1\r\n"
#define HOST     "Host: a\r\n"

static const struct block_case block_cases[] = {
    /* well-formed */
    BLOCK(0, GET_LINE HOST "\r\n"),
    BLOCK(0, GET_LINE "host:a\r\n\r\n"),
    BLOCK(0, GET_LINE "Host: \t a.example:5000 \t\r\n\r\n"),
    BLOCK(0, GET_LINE "Host: [::1]:5000\r\n\r\n"),
    BLOCK(0, "GET / HTTP/1.0\r\n\r\n"),
    BLOCK(0, "DELETE /v2/a/b/manifests/sha256:0 HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(0, "GET http://a.example/x?y=z HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(0, "GET http://a.example HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(0, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(0, "BREW /pot HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(0, GET_LINE HOST "X-Empty:\r\nX: \"q,\\\"\"\r\nY: caf\xc3\xa9\tb\r\n\r\n"),
    BLOCK(0, GET_LINE HOST "Accept: a\r\nAccept: b\r\n\r\n"),
    BLOCK(0, GET_LINE HOST "Content-Length: 0\r\n\r\n"),
    BLOCK(0, GET_LINE HOST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    /* the request line */
    BLOCK(400, "GET  / HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET /  HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET / HTTP/1.1 \r\n" HOST "\r\n"),
    BLOCK(400, " GET / HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET /\tHTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET /a b HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET /a\x01 HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET /a\0b HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET /caf\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET a HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET * HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET http:///x HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET http://u@a/x HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET ftp://a/x HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET /\r\n" HOST "\r\n"),
    BLOCK(400, "GET / http/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "GET / HTTP/1.\r\n" HOST "\r\n"),
    BLOCK(400, "GET / HTTP/11\r\n" HOST "\r\n"),
    BLOCK(400, "GET / HTTP/1.10\r\n" HOST "\r\n"),
    BLOCK(400, "GET / HTTP/x.y\r\n" HOST "\r\n"),
    BLOCK(505, "GET / HTTP/1.2\r\n" HOST "\r\n"),
    BLOCK(505, "GET / HTTP/0.9\r\n" HOST "\r\n"),
    BLOCK(505, "PRI * HTTP/2.0\r\n\r\n"),
    BLOCK(400, "G(T / HTTP/1.1\r\n" HOST "\r\n"),
    BLOCK(400, "\x16\x03\x01\x02\r\n\r\n"),
    /* line ends */
    BLOCK(400, "GET / HTTP/1.1\nHost: a\n\n"),
    BLOCK(400, GET_LINE "Host: a\n\r\n"),
    BLOCK(400, GET_LINE HOST "X: y\n\r\n"),
    BLOCK(400, GET_LINE HOST "\n"),
    BLOCK(400, GET_LINE HOST "X: a\rb\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X:\rContent-Length: 3\r\n\r\n"),
    BLOCK(400, "GET / HTTP/1.1\rHost: a\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X: y\r\r\n\r\n"),
    /* names and values */
    BLOCK(400, GET_LINE HOST "X : y\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X\t: y\r\n\r\n"),
    BLOCK(400, GET_LINE HOST " X: y\r\n\r\n"),
    BLOCK(400, GET_LINE " Host: a\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X: y\r\n z\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X: y\r\n\tz\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length:\r\n 3\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Transfer-Encoding:\r\n chunked\r\n\r\n"),
    BLOCK(400, GET_LINE HOST ": y\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X@: y\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X\x80: y\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X: a\0b\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X\0: b\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X: a\x7f\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "X: a\x0b\r\n\r\n"),
    /* Host */
    BLOCK(400, GET_LINE "\r\n"),
    BLOCK(400, GET_LINE HOST HOST "\r\n"),
    BLOCK(400, GET_LINE HOST "HOST: b\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a b\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a/b\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: u@a\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a, b\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: \"a\r\n\r\n"),
    /* the length of the body */
    BLOCK(400, GET_LINE HOST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: 3\r\ncontent-length: 4\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: 3, 3\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: +3\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: -3\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: 0x3\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: 3 4\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length:\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: 9223372036854775808\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: 99999999999999999999\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BLOCK(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    BLOCK(501, GET_LINE HOST "Transfer-Encoding: chunked, chunked\r\n\r\n"),
    BLOCK(501, GET_LINE HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    BLOCK(501, GET_LINE HOST "Transfer-Encoding: xchunked\r\n\r\n"),
    BLOCK(501, GET_LINE HOST "Transfer-Encoding: identity\r\n\r\n"),
    BLOCK(501, GET_LINE HOST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Transfer-Encoding:\r\n\r\n"),
    BLOCK(400, GET_LINE HOST "Transfer-Encoding:\tchunked\r\n\r\n"), /* not everybody's "chunked" */
    BLOCK(400, GET_LINE HOST "Content-Length: 3\t\r\n\r\n"),
    /* hosts: a name or an address, perhaps a port */
    BLOCK(0, GET_LINE "Host: a.b-c_d.e:65535\r\n\r\n"),
    BLOCK(0, GET_LINE "Host: a.:\r\n\r\n"),
    BLOCK(0, GET_LINE "Host: 127.0.0.1:1\r\n\r\n"),
    BLOCK(0, GET_LINE "Host: [::1]\r\n\r\n"),
    BLOCK(0, GET_LINE "Host: [fe80::1%25eth0]:80\r\n\r\n"),
    BLOCK(400, GET_LINE "Host:\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: :80\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a:b\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a:80:80\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a:-1\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a:123456\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: .\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: .a\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a..b\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: a%00\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: ::1\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: [::1\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: ::1]\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: []\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: [a]\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: [::1]a\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: [::1]:a\r\n\r\n"),
    BLOCK(400, GET_LINE "Host: [[::1]]\r\n\r\n"),
    /* expectations */
    BLOCK(417, GET_LINE HOST "Expect: a miracle\r\n\r\n"),
};

#endif
