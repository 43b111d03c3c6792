"""Malformed requests by the hundred, and a few well-formed ones to show that the table can pass: rows().

A row is (name, bytes). @UP@ stands for the target of an upload session. Where a row carries a body it is `hello` (or
chunks of it) for a PATCH of that session, so that a server that accepts the row says how many bytes it read. Names
are families, `cl-value/+5`, so that a pattern can speak of many rows. The bytes of a name are printable."""

import itertools

LINE = b"GET /v2/ HTTP/1.1\r\n"
HOST = b"Host: h\r\n"
PATCH = b"PATCH @UP@ HTTP/1.1\r\nHost: h\r\n"
HELLO = b"hello"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"

# Spellings that some parser somewhere takes for "chunked", or for nothing at all.
CODINGS = [
    b"chunked", b"Chunked", b"CHUNKED", b"chunked ", b" chunked", b"\tchunked", b"chunked\t", b"\x0bchunked",
    b"chunked\x0b", b"\x0cchunked", b"chunked\x0c", b"\x00chunked", b"chunked\x00", b"xchunked", b"chunkedx",
    b"chunked, chunked", b"chunked,chunked", b"chunked,", b",chunked", b", chunked", b"chunked, identity",
    b"identity, chunked", b"identity", b"gzip", b"gzip, chunked", b"chunked, gzip", b"deflate", b"compress",
    b"'chunked'", b'"chunked"', b"chunked;q=1", b"chunked; a=b", b"chun ked", b"chun\x00ked", b"", b" ", b"\x00",
    b"cow", b"chunk", b"chunke", b"chunked\xa0", b"\xa0chunked", b"\xc4\x8bhunked", b"c\xe2\x80\x8bhunked",
    b"chunked\\", b"chunked/1", b"chunked 1", b"trailers", b"none", b"1", b"chunked\r", b"\rchunked",
    b"chun\rked", b"x\r\n chunked", b"\r\n chunked", b"chunked\r\n x", b"\r\n\tchunked",
]

LENGTHS = [
    b"5", b"+5", b"-5", b" 5", b"5 ", b"\t5", b"5\t", b"  5  ", b"0x5", b"0X5", b"x5", b"5h", b"5.", b"5.0", b".5",
    b"5e0", b"05", b"005", b"00000000000000000000000005", b"5,5", b"5, 5", b"5,6", b"5,", b",5", b"5;", b"5;5",
    b"5 5", b"5 6", b"", b" ", b"five", b'"5"', b"'5'", b"5\x00", b"\x005", b"5\x0b", b"\x0b5", b"5\x0c", b"\x0c5",
    b"99999999999999999999", b"18446744073709551616", b"18446744073709551621", b"9223372036854775808",
    b"9223372036854775812", b"9223372036854775807", b"4294967301", b"4294967296", b"-0", b"+0", b"0", b"-1",
    b"_5", b"5_", b"1_0", b"5L", b"%35", b"5\xa0", b"\xa05", b"\xd9\xa5", b"\xef\xbc\x95", b"5\r", b"\r5", b"5\r5",
    b"\r\n 5", b"5\r\n 5", b"5\r\n ", b"\r\n\t5", b"4", b"6", b"1" * 200, b"0" * 8000 + b"5", b"5\n", b"(5)", b"5/1",
    b"5=5", b"NaN", b"Infinity", b"0b101", b"0o5", b"5:5", b"\\5", b"-5, 5",
]

HIGH = [0x80, 0x85, 0xa0, 0xc3, 0xff]
CONTROLS = [*range(0x00, 0x20), 0x7f, *HIGH]


def show(text, limit=40):
    """Bytes as a part of a name: printable, without blanks, cut."""
    out = "".join(chr(b) if 0x21 <= b < 0x7f and b not in b"\\*?[]" else f"\\x{b:02x}" for b in text[:limit])
    return (out or "empty") + (f"...{len(text)}" if len(text) > limit else "")


def good():
    yield "good/get", LINE + HOST + b"\r\n"
    yield "good/head", b"HEAD /v2/ HTTP/1.1\r\n" + HOST + b"\r\n"
    yield "good/length", PATCH + b"Content-Length: 5\r\n\r\n" + HELLO
    yield "good/chunked", PATCH + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS
    yield "good/two", (LINE + HOST + b"\r\n") * 2
    yield "good/ten", (LINE + HOST + b"\r\n") * 10
    yield "good/empty-line-first", b"\r\n" + LINE + HOST + b"\r\n"
    yield "good/absolute", b"GET http://h/v2/ HTTP/1.1\r\n" + HOST + b"\r\n"
    yield "good/tab-in-value", LINE + HOST + b"X-A: a\tb\r\n\r\n"
    yield "good/empty-value", LINE + HOST + b"X-A:\r\n\r\n"
    yield "good/extension", PATCH + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n"
    yield "good/trailer", PATCH + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: y\r\n\r\n"
    yield "good/post-then-get", PATCH + b"Content-Length: 5\r\n\r\n" + HELLO + LINE + HOST + b"\r\n"


def lengths():
    for value in LENGTHS:
        yield f"cl-value/{show(value)}", PATCH + b"Content-Length: " + value + b"\r\n\r\n" + HELLO
        yield f"cl-get/{show(value)}", LINE + HOST + b"Content-Length: " + value + b"\r\n\r\n" + HELLO
    odd = [b"5", b"6", b"0", b"", b"+5", b"05", b"5,5", b"x"]
    for a, b in itertools.product(odd, odd):
        yield f"cl-twice/{show(a)}/{show(b)}", (PATCH + b"Content-Length: " + a + b"\r\nContent-Length: " + b +
                                                b"\r\n\r\n" + HELLO)
    for a, b in ((b"5", b"5"), (b"5", b"6"), (b"0", b"5")):
        yield f"cl-apart/{show(a)}/{show(b)}", (PATCH + b"Content-Length: " + a + b"\r\nX-A: b\r\ncontent-length: " + b +
                                                b"\r\n\r\n" + HELLO)
    for n in (3, 10):
        yield f"cl-times/{n}", PATCH + b"Content-Length: 5\r\n" * n + b"\r\n" + HELLO


def names():
    """Names that one parser takes for the field and the next does not."""
    for field, value, body in ((b"Content-Length", b"5", HELLO), (b"Transfer-Encoding", b"chunked", CHUNKS),
                               (b"Host", b"h", b"")):
        short = {b"Content-Length": "cl", b"Transfer-Encoding": "te", b"Host": "host"}[field]
        half = len(field) // 2
        spelled = [field + b" ", field + b"\t", b" " + field, b"\t" + field, field + b"\x00", b"\x00" + field,
                   field + b"\x0b", b"\x0b" + field, field + b"\r", b"\r" + field, field.replace(b"-", b"_"),
                   field.replace(b"-", b" "), field.replace(b"-", b""), field + b":", b":" + field, field + b"\xa0",
                   field[:half] + b"\x00" + field[half:], field[:half] + b" " + field[half:],
                   field[:half] + b"\r" + field[half:], field[:half] + b"\xe2\x80\x8b" + field[half:],
                   b'"' + field + b'"', b"(" + field + b")", field + b"/", field + b"@", field + b"=",
                   b"X\rX: y\r" + field, b"X: y\r" + field, b"X: y\n" + field, b"X: y\r\n " + field, field + b"\r\n ",
                   b"\xef\xbb\xbf" + field, field.lower(), field.upper(), field.swapcase()]
        start = LINE + (HOST if field != b"Host" else b"") if field == b"Host" else PATCH
        for name in dict.fromkeys(spelled):
            yield f"{short}-name/{show(name)}", start + name + b": " + value + b"\r\n\r\n" + body
            if field != b"Host":
                yield (f"{short}-name-beside-length/{show(name)}",
                       PATCH + b"Content-Length: 5\r\n" + name + b": " + value + b"\r\n\r\n" + body)
                yield (f"{short}-name-beside-chunked/{show(name)}",
                       PATCH + b"Transfer-Encoding: chunked\r\n" + name + b": " + value + b"\r\n\r\n" + CHUNKS)
        yield f"{short}-no-colon/line", start + field + b"\r\n\r\n" + body
        yield f"{short}-no-colon/blank", start + field + b" " + value + b"\r\n\r\n" + body


def codings():
    for value in CODINGS:
        te, cl = b"Transfer-Encoding: " + value + b"\r\n", b"Content-Length: 5\r\n"
        yield f"te-value/{show(value)}", PATCH + te + b"\r\n" + CHUNKS
        yield f"te-after-cl/{show(value)}", PATCH + cl + te + b"\r\n" + CHUNKS
        yield f"te-before-cl/{show(value)}", PATCH + te + cl + b"\r\n" + CHUNKS
        yield f"te-smuggled/{show(value)}", (PATCH + b"Content-Length: 4\r\n" + te + b"\r\n0\r\n\r\n" +
                                             LINE + HOST + b"\r\n")
        yield f"te-no-blank/{show(value)}", PATCH + b"Transfer-Encoding:" + value + b"\r\n\r\n" + CHUNKS
        yield f"te-get/{show(value)}", LINE + HOST + te + b"\r\n" + CHUNKS
        yield f"te-1.0/{show(value)}", (PATCH.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Connection: keep-alive\r\n" + te +
                                        b"\r\n" + CHUNKS)
    few = [b"chunked", b"identity", b"gzip", b"", b"cow", b"Chunked"]
    for a, b in itertools.product(few, few):
        yield f"te-twice/{show(a)}/{show(b)}", (PATCH + b"Transfer-Encoding: " + a + b"\r\nTransfer-Encoding: " + b +
                                                b"\r\n\r\n" + CHUNKS)
    for value in (b"0", b"5", b"6", b"10", b"+5", b"-1", b"", b"5,5", b"x", b"99999999999999999999"):
        cl = b"Content-Length: " + value + b"\r\n"
        te = b"Transfer-Encoding: chunked\r\n"
        yield f"cl-te/{show(value)}", PATCH + cl + te + b"\r\n" + CHUNKS
        yield f"te-cl/{show(value)}", PATCH + te + cl + b"\r\n" + CHUNKS
        yield f"te-cl-te/{show(value)}", PATCH + te + cl + te + b"\r\n" + CHUNKS
        yield f"cl-te-cl/{show(value)}", PATCH + cl + te + cl + b"\r\n" + CHUNKS


def chunked(body):
    return PATCH + b"Transfer-Encoding: chunked\r\n\r\n" + body


def chunks():
    end = b"0\r\n\r\n"
    sizes = [b"5", b"05", b"005", b"0" * 14 + b"5", b"0" * 15 + b"5", b"0" * 16 + b"5", b"0" * 40 + b"5", b"+5", b"-5",
             b" 5", b"5 ", b"\t5", b"5\t", b"0x5", b"0X5", b"x5", b"5h", b"5x", b"5.", b"5,", b"5,5", b"", b"g", b"G",
             b"\x005", b"5\x00", b"5\x0b", b"5\xa0", b"%35", b"5:", b"5/", b"5=", b"5\"", b"\"5\"", b"five",
             b"ffffffffffffffff", b"fffffffffffffffb", b"10000000000000005", b"100000005", b"7fffffffffffffff",
             b"8000000000000000", b"8000000000000005", b"fffffffffffffff", b"10000000000000000", b"f" * 17, b"f" * 33,
             b"1" + b"0" * 32 + b"5", b"-0", b"-1", b"_5", b"5_0", b"5\r", b"\r5", b"5\r5", b"5\n", b"\n5", b"4", b"6",
             b"\xef\xbc\x95", b"5 5", b"5 ;a", b"5; a", b"5\t;a", b"5 ;", b"5;", b"5;;", b"5; ;a=b"]
    for size in sizes:
        yield f"chunk-size/{show(size)}", chunked(size + b"\r\nhello\r\n" + end)
        yield f"chunk-last/{show(size)}", chunked(b"5\r\nhello\r\n" + size.replace(b"5", b"0") + b"\r\n\r\n")
    for name, text in (("name", b";a"), ("value", b";a=b"), ("quoted", b';a="b"'), ("quoted-semi", b';a="b;c"'),
                       ("quoted-cr", b';a="b\rc"'), ("quoted-lf", b';a="b\nc"'), ("quoted-crlf", b';a="b\r\nc"'),
                       ("open-quote", b';a="b'), ("bare-cr", b";a\rb"), ("bare-lf", b";a\nb"), ("lf-end", b";a\n"),
                       ("nul", b";a\x00b"), ("control", b";a\x01b"), ("del", b";a\x7fb"), ("high", b";a\xffb"),
                       ("tab", b";a\tb"), ("blank-before", b" ;a"), ("blank-after", b"; a"), ("two", b";a;b"),
                       ("long-100", b";" + b"a" * 100), ("long-5000", b";" + b"a" * 5000),
                       ("long-70000", b";" + b"a" * 70000), ("no-semicolon", b"a"), ("blank-only", b" "),
                       ("crcr", b";a\r"), ("equals", b";="), ("comma", b",a"), ("colon", b":a")):
        yield f"chunk-extension/{name}", chunked(b"5" + text + b"\r\nhello\r\n" + end)
        yield f"chunk-extension-last/{name}", chunked(b"5\r\nhello\r\n0" + text + b"\r\n\r\n")
    ends = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b"", b" \r\n", b"\x00\r\n", b"\n\n", b"\r\n ", b"X",
            b"XX", b"\r\x0b\n", b"\x0b\n", b"\r\t\n"]
    for name, place in (("size-line", lambda e: b"5" + e + b"hello\r\n" + end),
                        ("data", lambda e: b"5\r\nhello" + e + end),
                        ("last-line", lambda e: b"5\r\nhello\r\n0" + e + b"\r\n"),
                        ("end", lambda e: b"5\r\nhello\r\n0\r\n" + e)):
        for e in ends:
            yield f"chunk-end-of-{name}/{show(e)}", chunked(place(e))
    trailers = [b"X-T: y\r\n", b"X-T : y\r\n", b" X-T: y\r\n", b"\tX\r\n", b"X-T: y\r\n folded\r\n", b"X-T\r\n", b": y\r\n",
                b"X-T: y\n", b"X-T: y\r", b"X-T: a\x00b\r\n", b"X-T: a\rb\r\n", b"X\x00T: y\r\n", b"X-T: \x01\r\n",
                b"X-T: \xff\r\n", b"\xff: y\r\n", b"(X): y\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
                b"Host: other\r\n", b"X-T: " + b"a" * 1000 + b"\r\n", b"X-T: " + b"a" * 20000 + b"\r\n",
                b"X-T: y\r\n" * 50, b"X-T: y\r\n" * 5000, b"GET /v2/ HTTP/1.1\r\n", b"=\r\n", b"\x00\r\n", b"X-T:\r\n",
                b"Connection: close\r\n", b"X T: y\r\n"]
    for t in trailers:
        yield f"trailer/{show(t)}", chunked(b"5\r\nhello\r\n0\r\n" + t + b"\r\n")
    yield "chunk-none/empty", chunked(end)
    yield "chunk-none/only-end", chunked(b"\r\n")
    yield "chunk-many/one-byte", chunked(b"1\r\nx\r\n" * 500 + end)
    yield "chunk-cut/size", chunked(b"5")
    yield "chunk-cut/data", chunked(b"5\r\nhel")
    yield "chunk-cut/last", chunked(b"5\r\nhello\r\n0\r\n")
    yield "chunk-short/data", chunked(b"5\r\nhell\r\n" + end)
    yield "chunk-long/data", chunked(b"5\r\nhello!\r\n" + end)
    yield "chunk-long/more", chunked(b"5\r\nhello5\r\nhello\r\n" + end)
    yield "chunk-zero-data/x", chunked(b"0\r\nX")
    yield "chunk-after-end/chunk", chunked(CHUNKS + CHUNKS)
    yield "chunk-none/plain-body", chunked(HELLO)
    yield "chunk-none/request", chunked(LINE + HOST + b"\r\n")


def bytes_anywhere():
    """Each control byte, and some above, at every kind of place."""
    places = {
        "before-method": lambda c: c + LINE + HOST + b"\r\n",
        "in-method": lambda c: b"G" + c + b"ET /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
        "after-method": lambda c: b"GET" + c + b" /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
        "for-blank": lambda c: b"GET" + c + b"/v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
        "in-target": lambda c: b"GET /v2/" + c + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        "in-query": lambda c: b"GET /v2/?a" + c + b"b HTTP/1.1\r\n" + HOST + b"\r\n",
        "before-version": lambda c: b"GET /v2/ " + c + b"HTTP/1.1\r\n" + HOST + b"\r\n",
        "in-version": lambda c: b"GET /v2/ HTTP/" + c + b"1.1\r\n" + HOST + b"\r\n",
        "after-version": lambda c: b"GET /v2/ HTTP/1.1" + c + b"\r\n" + HOST + b"\r\n",
        "before-name": lambda c: LINE + HOST + c + b"X-A: b\r\n\r\n",
        "before-first-name": lambda c: LINE + c + HOST + b"\r\n",
        "in-name": lambda c: LINE + HOST + b"X" + c + b"A: b\r\n\r\n",
        "after-name": lambda c: LINE + HOST + b"X-A" + c + b": b\r\n\r\n",
        "in-value": lambda c: LINE + HOST + b"X-A: a" + c + b"b\r\n\r\n",
        "before-value": lambda c: LINE + HOST + b"X-A:" + c + b"b\r\n\r\n",
        "after-value": lambda c: LINE + HOST + b"X-A: b" + c + b"\r\n\r\n",
        "in-host": lambda c: LINE + b"Host: h" + c + b"h\r\n\r\n",
        "at-the-end": lambda c: LINE + HOST + c + b"\r\n",
        "in-the-end": lambda c: LINE + HOST + b"\r" + c + b"\n",
        "behind": lambda c: LINE + HOST + b"\r\n" + c,
    }
    for place, make in places.items():
        for code in CONTROLS:
            yield f"byte-{place}/{code:02x}", make(bytes([code]))


def line_ends():
    ends = {"crlf": b"\r\n", "lf": b"\n", "cr": b"\r", "crcrlf": b"\r\r\n", "lfcr": b"\n\r", "crlfcr": b"\r\n\r",
            "blank-crlf": b" \r\n", "vt": b"\x0b", "ff-lf": b"\x0c\n", "nel": b"\x85\n", "nul-lf": b"\x00\n"}
    for (a, x), (b, y), (c, z) in itertools.product(ends.items(), ends.items(), list(ends.items())[:6]):
        if [a, b, c].count("crlf") in (1, 2):
            yield f"line-ends/{a}/{b}/{c}", b"GET /v2/ HTTP/1.1" + x + b"Host: h" + y + z
    for name, first in (("lf", b"\n"), ("cr", b"\r"), ("crlf", b"\r\n"), ("crlf-crlf", b"\r\n\r\n"), ("blank", b" "),
                        ("blank-crlf", b" \r\n"), ("many", b"\r\n" * 100), ("lf-lf", b"\n\n"), ("nul", b"\x00"),
                        ("bom", b"\xef\xbb\xbf"), ("cr-cr-lf", b"\r\r\n"), ("tab", b"\t")):
        yield f"before-request/{name}", first + LINE + HOST + b"\r\n"
        yield f"between-requests/{name}", LINE + HOST + b"\r\n" + first + LINE + HOST + b"\r\n"


def folds():
    for name, fold in (("space", b"\r\n b"), ("tab", b"\r\n\tb"), ("lf", b"\n b"), ("blanks-only", b"\r\n  "),
                       ("many", b"\r\n b" * 20), ("cr", b"\r b"), ("colon", b"\r\n X: y"),
                       ("length", b"\r\n Content-Length: 5"), ("coding", b"\r\n Transfer-Encoding: chunked")):
        yield f"fold/{name}", LINE + HOST + b"X-A: a" + fold + b"\r\n\r\n"
        yield f"fold-first/{name}", LINE + fold[2:] + b"\r\n" + HOST + b"\r\n"
        yield f"fold-host/{name}", LINE + b"Host: h" + fold + b"\r\n\r\n"
        yield f"fold-length/{name}", PATCH + b"Content-Length: 5" + fold + b"\r\n\r\n" + HELLO
        yield f"fold-coding/{name}", PATCH + b"Transfer-Encoding: chunked" + fold + b"\r\n\r\n" + CHUNKS
        yield f"fold-line/{name}", b"GET /v2/" + fold + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        yield f"fold-end/{name}", LINE + HOST + b"X-A:" + fold + b"\r\n\r\n"


def request_lines():
    versions = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/3",
                b"HTTP/1", b"HTTP/1.", b"HTTP/.1", b"HTTP/", b"HTTP", b"", b"http/1.1", b"Http/1.1", b"HTTP/1.10",
                b"HTTP/1.01", b"HTTP/01.1", b"HTTP/11.1", b"HTTP/10.1", b"HTTP/1,1", b"HTTP/1.1.1", b"HTTP/+1.1",
                b"HTTP/1.+1", b"HTTP/-1.1", b"HTTP/1.x", b"HTTP/x.1", b"HTTP /1.1", b"HTTP/ 1.1", b"HTTP/1 .1",
                b"HTTP/1. 1", b"HTTP/1.1 ", b"HTTP/1.1 x", b"HTTP/1.1x", b"xHTTP/1.1", b"ICE/1.0", b"HTTPS/1.1",
                b"HTCPCP/1.0", b"HTTP//1.1", b"HTTP\\1.1", b"HTTP/0.0", b"HTTP/1.100", b"HTTP/4294967297.1",
                b"HTTP/1.4294967297", b"HTTP/1.1\t", b"\tHTTP/1.1", b"HTTP/1.1\x00", b"HTTP/1.1;a", b"HTTP/1\xb7" b"1",
                b"HTTP/\xef\xbc\x91.1", b"RTSP/1.0", b"SIP/2.0", b"HTTP/1.1HTTP/1.1", b"HTTP/1.1 HTTP/1.1"]
    for v in versions:
        yield f"version/{show(v)}", b"GET /v2/ " + v + b"\r\n" + HOST + b"\r\n"
        yield f"version-body/{show(v)}", b"PATCH @UP@ " + v + b"\r\n" + HOST + b"Content-Length: 5\r\n\r\n" + HELLO
    methods = [b"", b" ", b"get", b"Get", b"GETT", b"G", b"GE T", b"GET\t", b"\tGET", b"FROB", b"A-B", b"A_B", b"A.B",
               b"GE:T", b"G(T", b"G,T", b"G;T", b"G/T", b"G=T", b"G?T", b"G@T", b"G[T", b"G{T", b'G"T', b"G<T", b"G!T",
               b"G*T", b"123", b"A" * 300, b"A" * 9000, b"A" * 40000, b"TRACE", b"CONNECT", b"TRACK", b"PRI",
               b"SOURCE", b"M-SEARCH", b"PROPFIND", b"\xc7ET", b"GET GET", b"GET\x00", b"POST GET", b"HTTP/1.1",
               b"OPTIONS", b"LINK", b"PURGE", b"%47ET", b"\xef\xbb\xbfGET", b"-", b"+"]
    for m in methods:
        yield f"method/{show(m)}", m + b" /v2/ HTTP/1.1\r\n" + HOST + b"\r\n"
    targets = [b"", b"v2/", b"*", b"**", b"*/v2/", b"h", b"h:80", b":80", b"//", b"//h/v2/", b"///v2/", b"/v2//", b"\\v2\\",
               b"/v2/\\", b"./v2/", b"../v2/", b"/../v2/", b"/v2/../..", b"/v2/../../x", b"/./v2/", b"/v2/.", b"/v2/..",
               b"/%2e%2e/v2/", b"/v2/%2e%2e/%2e%2e/%2e%2e/etc/passwd", b"/v2/..%2f..%2f..%2fetc", b"/v2/%00",
               b"/v2/%", b"/v2/%2", b"/v2/%zz", b"/v2/%u002f", b"/v2/%ff", b"/v2/%c0%ae", b"/v2/%0d%0aX:%20y", b"/v2/%0a",
               b"/v2/#x", b"#", b"?", b"?x", b"/v2/?", b"/v2/??", b"/v2/?#", b"/v2/ x", b"/v2/ /v2/", b"/v2/\t", b"/v2/|",
               b"/v2/<x>", b'/v2/"', b"/v2/^", b"/v2/`", b"/v2/{x}", b"/v2/\x80", b"/v2/\xc3\xa9", b"/v2/;a=b",
               b"http://h/v2/", b"HTTP://h/v2/", b"https://h/v2/", b"http:/h/v2/", b"http:h/v2/", b"http:///v2/",
               b"http://", b"http://h", b"http://h?x", b"http://h:80/v2/", b"http://h:x/v2/", b"http://h:/v2/",
               b"http://h:99999/v2/", b"http://u@h/v2/", b"http://u:p@h/v2/", b"http://[::1]/v2/", b"http://[::1/v2/",
               b"http://h h/v2/", b"http://h\\/v2/", b"http://h\x00/v2/", b"http://h#/v2/", b"http://h%20/v2/",
               b"http://other/v2/", b"ftp://h/v2/", b"file:///etc/passwd", b"javascript:alert(1)", b"x:", b"://h/v2/",
               b"1http://h/v2/", b"h+x://h/v2/", b"http://-/v2/", b"http://h..h/v2/", b"http://\xff/v2/",
               b"http://h,h/v2/", b"http://h/v2/http://h/v2/", b"http//h/v2/", b"@h/v2/", b"%2fv2%2f"]
    for t in targets:
        yield f"target/{show(t)}", b"GET " + t + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    for t in (b"h:5000", b"h", b":5000", b"/v2/", b"http://h/", b"[::1]:1", b"*", b"h:x", b"h:5000/"):
        yield f"connect/{show(t)}", b"CONNECT " + t + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        yield f"options/{show(t)}", b"OPTIONS " + t + b" HTTP/1.1\r\n" + HOST + b"\r\n"
    whole = {
        "two-blanks-first": b"GET  /v2/ HTTP/1.1", "two-blanks-second": b"GET /v2/  HTTP/1.1",
        "blank-before": b" GET /v2/ HTTP/1.1", "blank-after": b"GET /v2/ HTTP/1.1 ", "tabs": b"GET\t/v2/\tHTTP/1.1",
        "no-version": b"GET /v2/", "no-version-blank": b"GET /v2/ ", "only-method": b"GET", "only-method-blank": b"GET ",
        "empty": b"", "blank": b" ", "word": b"rubbish", "four-words": b"GET /v2/ x HTTP/1.1", "answer": b"HTTP/1.1 200 OK",
        "no-blank": b"GET/v2/HTTP/1.1", "no-blank-first": b"GET/v2/ HTTP/1.1", "no-blank-second": b"GET /v2/HTTP/1.1",
        "header-first": b"Host: x", "nul": b"\x00" * 20, "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "ssh": b"SSH-2.0-OpenSSH_9.2", "smtp": b"EHLO h", "proxy-1": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2",
        "proxy-2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x01" * 12, "redis": b"*1\r\n$4\r\nPING",
        "json": b'{"schemaVersion":2}', "http2": b"PRI * HTTP/2.0",
    }
    for name, text in whole.items():
        yield f"line/{name}", text + b"\r\n" + HOST + b"\r\n"
    yield "line/http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    yield "line/http2-upgrade", (LINE + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                                 b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
    yield "line/0.9", b"GET /v2/\r\n"
    yield "line/0.9-lf", b"GET /v2/\n"
    yield "line/0.9-twice", b"GET /v2/\r\nGET /v2/\r\n"


def hosts():
    values = [b"", b" ", b"h", b"h:80", b"h:", b":80", b"h:x", b"h:80:80", b"h:99999", b"h:-1", b"h,h", b"h, h", b"h h",
              b"h/", b"h/v2/", b"h\\", b"h?x", b"h#x", b"u@h", b"u:p@h", b"http://h", b"[::1]", b"[::1]:80", b"[::1", b"::1",
              b"[]", b"[x]", b"[::1]x", b"h\x00", b"h\x01", b"h\x7f", b"h\xff", b"\xc3\xa9", b"h\th", b"*", b"h..h", b".h",
              b"h.", b"..", b".", b"-", b"_", b"h_h", b"%68", b"h%00", b"h%0d%0a", b"<h>", b'"h"', b"'h'", b"(h)", b"h;h",
              b"h=h", b"h|h", b"h^h", b"h`h", b"{h}", b"h$h", b"h&h", b"h+h", b"h!h", b"h~h", b"127.0.0.1", b"1", b"0x7f.1",
              b"a" * 254, b"a" * 4000, b"a." * 2000, b"h\r", b"\rh", b"xn--nxasmq6b", b"h " * 10, b"../h", b"h/../x", b"..\\h"]
    for v in values:
        yield f"host/{show(v)}", LINE + b"Host: " + v + b"\r\n\r\n"
        yield f"host-1.0/{show(v)}", b"GET /v2/ HTTP/1.0\r\nConnection: keep-alive\r\nHost: " + v + b"\r\n\r\n"
    yield "host-none/1.1", LINE + b"\r\n"
    yield "host-none/other", LINE + b"X-Host: h\r\n\r\n"
    yield "host-none/absolute", b"GET http://h/v2/ HTTP/1.1\r\n\r\n"
    for a, b in ((b"h", b"h"), (b"h", b"x"), (b"h", b""), (b"", b"h"), (b"", b"")):
        yield f"host-twice/{show(a)}/{show(b)}", LINE + b"Host: " + a + b"\r\nHost: " + b + b"\r\n\r\n"
        yield f"host-apart/{show(a)}/{show(b)}", LINE + b"Host: " + a + b"\r\nX: y\r\nhOST: " + b + b"\r\n\r\n"
        yield (f"host-twice-1.0/{show(a)}/{show(b)}",
               b"GET /v2/ HTTP/1.0\r\nConnection: keep-alive\r\nHost: " + a + b"\r\nHost: " + b + b"\r\n\r\n")


def header_lines():
    lines = [b":", b": x", b" ", b"x", b"x y: z", b"x:", b"x::", b"(x): y", b"x@: y", b"x[: y", b'"x": y', b"x/y: z", b"{: y",
             b"x,y: z", b"x;: y", b"x=: y", b"x?: y", b"\\: y", b"\x80: y", b"\xc3\xa9: y", b"x\x00: y", b"x \t: y", b"=x",
             b"GET /v2/ HTTP/1.1", b"HTTP/1.1 200 OK", b"Expect: 200-ok", b"Expect: ", b"Expect: 100-continue, x",
             b"Connection: ", b"Connection: close, keep-alive", b"Connection: \x01", b"Connection: Host",
             b"Connection: Content-Length", b"Upgrade: websocket", b"Trailer: Content-Length", b"TE: chunked",
             b"Transfer_Encoding: chunked", b"X-A: " + b"b" * 5000, b"A" * 5000 + b": b", b"<!--: y", b"%: y", b"0: y",
             b"-: y", b"!#$%&'*+-.^_`|~: y"]
    for text in lines:
        yield f"header/{show(text)}", LINE + HOST + text + b"\r\n\r\n"
        yield f"header-first/{show(text)}", LINE + text + b"\r\n" + HOST + b"\r\n"


def oversize():
    for n in (17_000, 33_000, 66_000, 300_000):
        yield f"long-target/{n}", b"GET /v2/" + b"a" * n + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        yield f"long-query/{n}", b"GET /v2/?" + b"a" * n + b" HTTP/1.1\r\n" + HOST + b"\r\n"
        yield f"long-value/{n}", LINE + HOST + b"X-A: " + b"a" * n + b"\r\n\r\n"
        yield f"long-name/{n}", LINE + HOST + b"a" * n + b": b\r\n\r\n"
        yield f"long-host/{n}", LINE + b"Host: " + b"a" * n + b"\r\n\r\n"
        yield f"long-version/{n}", b"GET /v2/ HTTP/1." + b"1" * n + b"\r\n" + HOST + b"\r\n"
        yield f"long-method/{n}", b"A" * n + b" /v2/ HTTP/1.1\r\n" + HOST + b"\r\n"
        yield f"long-absolute/{n}", b"GET http://" + b"h" * n + b"/v2/ HTTP/1.1\r\n" + HOST + b"\r\n"
        yield f"long-blanks/{n}", LINE + HOST + b"X-A:" + b" " * n + b"b\r\n\r\n"
        yield f"long-without-end/{n}", b"GET /v2/" + b"a" * n
        yield f"long-headers/{n}", LINE + HOST + (b"X-A: " + b"a" * 100 + b"\r\n") * (n // 107) + b"\r\n"
        yield f"long-coding/{n}", PATCH + b"Transfer-Encoding: " + b"chunked, " * (n // 9) + b"chunked\r\n\r\n" + CHUNKS
        yield f"long-length/{n}", PATCH + b"Content-Length: " + b"0" * n + b"5\r\n\r\n" + HELLO
        yield f"long-chunk-size/{n}", chunked(b"0" * n + b"5\r\nhello\r\n0\r\n\r\n")
    for n in (101, 1000, 20_000):
        yield f"many-headers/{n}", LINE + HOST + b"X: y\r\n" * n + b"\r\n"
        yield f"many-empty-lines/{n}", b"\r\n" * n + LINE + HOST + b"\r\n"


def pipelined():
    """A good request, then a bad one: what follows the bad one is nobody's."""
    bad = {
        "rubbish": b"rubbish\r\n\r\n", "two-lengths": PATCH + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "both": PATCH + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        "chunk": chunked(b"x\r\n"), "no-host": LINE + b"\r\n", "two-hosts": LINE + HOST + HOST + b"\r\n",
        "lf": b"GET /v2/ HTTP/1.1\nHost: h\n\n", "fold": LINE + HOST + b" x\r\n\r\n", "nul": LINE + HOST + b"X: \x00\r\n\r\n",
        "colon": LINE + HOST + b"X : y\r\n\r\n", "version": b"GET /v2/ HTTP/9.9\r\nHost: h\r\n\r\n",
        "long": b"GET /v2/" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", "0.9": b"GET /v2/\r\n",
        "coding": PATCH + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
        "length": PATCH + b"Content-Length: +5\r\n\r\nhello", "cr": LINE + HOST + b"X: a\rb\r\n\r\n",
        "tls": b"\x16\x03\x01\x02\x00\x01", "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    }
    first = {
        "get": LINE + HOST + b"\r\n", "head": b"HEAD /v2/ HTTP/1.1\r\n" + HOST + b"\r\n",
        "body": PATCH + b"Content-Length: 5\r\n\r\n" + HELLO, "chunks": chunked(CHUNKS),
        "three": (LINE + HOST + b"\r\n") * 3, "get-with-body": LINE + HOST + b"Content-Length: 5\r\n\r\n" + HELLO,
    }
    for (a, x), (b, y) in itertools.product(first.items(), bad.items()):
        yield f"behind-{a}/{b}", x + y


def rows():
    every = [*good(), *lengths(), *names(), *codings(), *chunks(), *bytes_anywhere(), *line_ends(), *folds(),
             *request_lines(), *hosts(), *header_lines(), *oversize(), *pipelined()]
    found = dict(every)
    assert len(found) == len(every), "two rows of one name: " + ", ".join(
        sorted({name for name, _ in every if sum(n == name for n, _ in every) > 1}))
    return every
