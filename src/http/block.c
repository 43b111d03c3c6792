/* http/block.c - the checker of raw header blocks; see block.h. */
#include "http/block.h"

enum { TOKEN = 1, VALUE = 2, TARGET = 4, AUTHORITY = 8, DIGIT = 16 };

/* Which classes a byte belongs to; what is above (obs-text) belongs to values only. */
#define T  (TOKEN | VALUE | TARGET | AUTHORITY)
#define TV (TOKEN | VALUE | TARGET)
#define VT (VALUE | TARGET)
#define VA (VALUE | TARGET | AUTHORITY)
#define D  (TOKEN | VALUE | TARGET | AUTHORITY | DIGIT)
/* clang-format off */
static const unsigned char class_of[128] = {
    ['\t'] = VALUE, [' '] = VALUE,
    ['!'] = TV, ['"'] = VT, ['#'] = TOKEN | VALUE, ['$'] = TV, ['%'] = T, ['&'] = TV, ['\''] = TV,
    ['('] = VT, [')'] = VT, ['*'] = TV, ['+'] = TV, [','] = VT, ['-'] = T, ['.'] = T, ['/'] = VT,
    ['0'] = D, ['1'] = D, ['2'] = D, ['3'] = D, ['4'] = D,
    ['5'] = D, ['6'] = D, ['7'] = D, ['8'] = D, ['9'] = D,
    [':'] = VA, [';'] = VT, ['<'] = VT, ['='] = VT, ['>'] = VT, ['?'] = VT, ['@'] = VT,
    ['A'] = T, ['B'] = T, ['C'] = T, ['D'] = T, ['E'] = T, ['F'] = T, ['G'] = T, ['H'] = T, ['I'] = T,
    ['J'] = T, ['K'] = T, ['L'] = T, ['M'] = T, ['N'] = T, ['O'] = T, ['P'] = T, ['Q'] = T, ['R'] = T,
    ['S'] = T, ['T'] = T, ['U'] = T, ['V'] = T, ['W'] = T, ['X'] = T, ['Y'] = T, ['Z'] = T,
    ['['] = VA, ['\\'] = VT, [']'] = VA, ['^'] = TV, ['_'] = T, ['`'] = TV,
    ['a'] = T, ['b'] = T, ['c'] = T, ['d'] = T, ['e'] = T, ['f'] = T, ['g'] = T, ['h'] = T, ['i'] = T,
    ['j'] = T, ['k'] = T, ['l'] = T, ['m'] = T, ['n'] = T, ['o'] = T, ['p'] = T, ['q'] = T, ['r'] = T,
    ['s'] = T, ['t'] = T, ['u'] = T, ['v'] = T, ['w'] = T, ['x'] = T, ['y'] = T, ['z'] = T,
    ['{'] = VT, ['|'] = TV, ['}'] = VT, ['~'] = T,
};
/* clang-format on */
#undef T
#undef TV
#undef VT
#undef VA
#undef D

static bool is(char ch, unsigned classes)
{
    unsigned char u = (unsigned char)ch;
    return (u < 0x80 ? class_of[u] : (unsigned)VALUE) & classes;
}

static size_t span(const char *p, size_t n, unsigned classes)
{
    size_t i = 0;
    while (i < n && is(p[i], classes))
        i++;
    return i;
}

bool http_is_token(berth_str s)
{
    return s.n && span(s.p, s.n, TOKEN) == s.n;
}

bool http_is_field_value(berth_str s)
{
    return span(s.p, s.n, VALUE) == s.n;
}

/* Labels of a name or an IPv4 address; one dot may end it. */
static bool is_host_name(berth_str s)
{
    size_t label = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!is(s.p[i], AUTHORITY) || s.p[i] == '%' || s.p[i] == '[' || s.p[i] == ']')
            return false;
        if (s.p[i] == '.' && !label)
            return false;
        label = s.p[i] == '.' ? 0 : label + 1;
    }
    return s.n;
}

bool http_is_authority(berth_str s)
{
    berth_str host = s, port = STR_NULL;
    if (s.n && s.p[0] == '[') { /* an IPv6 address, perhaps with a zone */
        berth_str rest;
        if (!str_cut(str_from_offset(s, 1), ']', &host, &rest) || !memchr(host.p, ':', host.n))
            return false;
        if (span(host.p, host.n, AUTHORITY) != host.n || memchr(host.p, '[', host.n))
            return false;
        if (rest.n && rest.p[0] != ':')
            return false;
        port = str_from_offset(rest, MIN(rest.n, 1));
    } else {
        str_cut(s, ':', &host, &port);
        if (!is_host_name(host))
            return false;
    }
    return port.n <= 5 && span(port.p, port.n, DIGIT) == port.n;
}

int http_block_scan(const char *p, size_t n, size_t *at, size_t *ret_end)
{
    if (n && !is(p[0], TOKEN))
        return -1;
    for (;;) {
        const char *lf = memchr(p + *at, '\n', n - *at);
        if (!lf)
            return 0;
        size_t i = (size_t)(lf - p);
        if (i == 0 || p[i - 1] != '\r')
            return -1;
        if (i == *at + 1) {
            *ret_end = i + 1;
            return 1;
        }
        *at = i + 1;
    }
}

berth_str http_field_get(const struct http_block *b, berth_str name, size_t i)
{
    for (size_t f = 0; f < b->n_fields; f++)
        if (b->fields[f].name.n == name.n && str_eq_nocase(b->fields[f].name, name) && i-- == 0)
            return b->fields[f].value;
    return STR_NULL;
}

bool http_list_next(berth_str *rest, berth_str *ret)
{
    while (rest->n) {
        size_t i = 0;
        for (bool quoted = false; i < rest->n && (quoted || rest->p[i] != ','); i++) {
            if (quoted && rest->p[i] == '\\' && i + 1 < rest->n)
                i++;
            else if (rest->p[i] == '"')
                quoted = !quoted;
        }
        berth_str one = str_trim(str_head(*rest, i));
        *rest = str_from_offset(*rest, MIN(i + 1, rest->n));
        if (one.n) {
            *ret = one;
            return true;
        }
    }
    return false;
}

static int refuse(struct http_refusal *ret_why, int status, const char *reason)
{
    ret_why->reason = reason;
    return status;
}

static int refuse_over(struct http_refusal *ret_why, int status, const char *reason, uint64_t limit)
{
    ret_why->limit = limit;
    return refuse(ret_why, status, reason);
}

/* What may be repeated of a line: enough to find it by, but no header's value, which may be a secret. */
static berth_str start_of(berth_str line, unsigned number)
{
    static const size_t most = 80;
    size_t n = 0;
    while (n < line.n && n < most && line.p[n] != '\r' &&
           (number == 1 || (line.p[n] != ':' && line.p[n] != ' ')))
        n++;
    return str_head(line, n);
}

void http_block_locate(const char *p, size_t n, size_t at, struct http_refusal *ret_why)
{
    ret_why->line = 1;
    for (size_t i = 0; i < at; i++)
        ret_why->line += p[i] == '\n';
    ret_why->text = start_of((berth_str){p + at, n - at}, ret_why->line);
}

/* "METHOD target HTTP/1.x", single spaces, nothing before or after. */
static int request_line(berth_str line, const struct http_block_limits *limits, struct http_block *b,
                        struct http_refusal *ret_why)
{
    size_t m = span(line.p, line.n, TOKEN);
    if (m == 0 || m == line.n || line.p[m] != ' ')
        return refuse(ret_why, 400,
                      "the request line must read METHOD TARGET HTTP/1.1, with one space between");
    b->method = str_head(line, m);

    berth_str rest = str_from_offset(line, m + 1);
    size_t t = span(rest.p, rest.n, TARGET);
    if (t > limits->uri)
        return refuse_over(ret_why, 414, "the request target has more bytes than the limit", limits->uri);
    if (t == 0 || t == rest.n || rest.p[t] != ' ')
        return refuse(
            ret_why, 400,
            "the request target is empty, or has a blank or another byte that must be percent-encoded");
    b->target = str_head(rest, t);

    berth_str version = str_from_offset(rest, t + 1);
    if (version.n != 8 || !str_starts(version, STR("HTTP/")) || version.p[6] != '.' ||
        !is(version.p[5], DIGIT) || !is(version.p[7], DIGIT))
        return refuse(ret_why, 400, "the request line must end with HTTP/1.1 after one space");
    if (version.p[5] != '1' || version.p[7] > '1')
        return refuse(ret_why, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    b->minor = (unsigned)(version.p[7] - '0');
    return 0;
}

/* A field that decides about the connection or the framing. */
static int special(struct http_block *b, const struct http_field *f, unsigned *transfer_encodings,
                   struct http_refusal *ret_why)
{
    switch (f->name.n) {
    case 4:
        if (str_eq_nocase(f->name, STR("host"))) {
            if (b->host.p)
                return refuse(ret_why, 400, "there is more than one Host header; send one");
            if (!http_is_authority(f->value))
                return refuse(ret_why, 400, "the Host header is not a host or host:port");
            b->host = f->value;
        }
        break;
    case 6:
        if (str_eq_nocase(f->name, STR("expect"))) {
            if (!str_eq_nocase(f->value, STR("100-continue")))
                return refuse(ret_why, 417, "the only expectation understood is 100-continue");
            b->expect_continue = true;
        }
        break;
    case 10:
        if (str_eq_nocase(f->name, STR("connection"))) {
            berth_str list = f->value, one;
            while (http_list_next(&list, &one)) {
                if (str_eq_nocase(one, STR("close")))
                    b->keep_alive = false;
                else if (b->minor == 0 && str_eq_nocase(one, STR("keep-alive")))
                    b->keep_alive = true;
            }
        }
        break;
    case 14:
        if (str_eq_nocase(f->name, STR("content-length"))) {
            uint64_t n;
            if (b->content_length >= 0)
                return refuse(ret_why, 400, "there is more than one Content-Length header; send one");
            if (!str_to_u64(f->value, &n) || n > INT64_MAX)
                return refuse(ret_why, 400, "Content-Length must be a number of bytes in decimal digits");
            b->content_length = (int64_t)n;
        }
        break;
    case 17:
        if (str_eq_nocase(f->name, STR("transfer-encoding"))) {
            if (++*transfer_encodings > 1)
                return refuse(ret_why, 400, "there is more than one Transfer-Encoding header; send one");
            if (!f->value.n) /* a fold may follow that says what it is */
                return refuse(ret_why, 400, "Transfer-Encoding is empty; send chunked, or leave it out");
            if (!str_eq_nocase(f->value, STR("chunked")))
                return refuse(ret_why, 501, "the only transfer coding understood is chunked");
            b->chunked = true;
        }
        break;
    default:
        break;
    }
    return 0;
}

/* RFC 9110 lets a tab stand beside any value, but not every server takes "\tchunked" for chunked: where the
 * next request starts must not depend on it. */
static bool says_length(berth_str name)
{
    return str_eq_nocase(name, STR("content-length")) || str_eq_nocase(name, STR("transfer-encoding"));
}

static int field_line(berth_str line, struct http_field *f, struct http_refusal *ret_why)
{
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return refuse(ret_why, 400, "a header must not go on over several lines; send it as one");
    size_t n = span(line.p, line.n, TOKEN);
    if (n == 0 || n == line.n || line.p[n] != ':')
        return refuse(ret_why, 400, "a header line must read Name: value, with no blank before the colon");
    f->name = str_head(line, n);
    f->value = str_from_offset(line, n + 1);
    if (!http_is_field_value(f->value))
        return refuse(ret_why, 400, "a header value has a control character");
    if (says_length(f->name) && f->value.n && memchr(f->value.p, '\t', f->value.n))
        return refuse(ret_why, 400, "Content-Length and Transfer-Encoding must have no tab");
    f->value = str_trim(f->value);
    return 0;
}

int http_block_parse(const char *p, size_t n, const struct http_block_limits *limits,
                     struct http_field *fields, struct http_block *ret, struct http_refusal *ret_why)
{
    struct http_block b = {.fields = fields, .content_length = -1};
    *ret_why = (struct http_refusal){.reason = ""};
    unsigned transfer_encodings = 0;
    bool first = true;
    for (size_t at = 0;;) {
        const char *lf = at < n ? memchr(p + at, '\n', n - at) : NULL;
        if (!lf)
            return refuse(ret_why, 400, "the header does not end with an empty line");
        size_t end = (size_t)(lf - p);
        if (end == at || p[end - 1] != '\r')
            return refuse(ret_why, 400, "each line of the header must end with CR LF");
        berth_str line = {p + at, end - 1 - at};
        at = end + 1;
        if (first) {
            int r = request_line(line, limits, &b, ret_why);
            if (r) {
                http_block_locate(p, n, 0, ret_why);
                return r;
            }
            b.keep_alive = b.minor == 1;
            first = false;
            continue;
        }
        if (!line.n) {
            if (at != n)
                return refuse(ret_why, 400, "bytes follow the end of the header");
            break;
        }
        if (b.n_fields == limits->count) {
            http_block_locate(p, n, (size_t)(line.p - p), ret_why);
            return refuse_over(ret_why, 431, "the header has more lines than the limit", limits->count);
        }
        struct http_field *f = &fields[b.n_fields++];
        int r = field_line(line, f, ret_why);
        if (!r)
            r = special(&b, f, &transfer_encodings, ret_why);
        if (r) {
            http_block_locate(p, n, (size_t)(line.p - p), ret_why);
            return r;
        }
    }
    if (n > limits->bytes)
        return refuse_over(ret_why, 431, "the header has more bytes than the limit", limits->bytes);
    if (b.minor == 1 && !b.host.p)
        return refuse(ret_why, 400, "HTTP/1.1 asks for a Host header");
    if (b.chunked && b.content_length >= 0)
        return refuse(ret_why, 400,
                      "Content-Length and Transfer-Encoding exclude each other; send one of them");
    if (b.chunked && b.minor == 0)
        return refuse(ret_why, 400, "HTTP/1.0 knows no Transfer-Encoding");
    if (b.minor == 0)
        b.expect_continue = false; /* RFC 9110 section 10.1.1 */
    *ret = b;
    return 0;
}
