/* daemon/config_form.c - what the text of a setting must look like, one small predicate each. */
#include <arpa/inet.h>
#include <stdio.h>

#include "daemon/config_private.h"
#include "http/server.h"

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* All of @s are letters, digits or one of @others; at least one. */
static bool made_of(berth_str s, const char *others)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (s.p[i] == '\0' || !strchr(others, s.p[i])))
            return false;
    return s.n > 0;
}

static bool is_token(berth_str s) /* RFC 9110 5.6.2 */
{
    return made_of(s, "!#$%&'*+-.^_`|~");
}

/* The code point at @s and its length in bytes, or 0: not UTF-8 (overlong forms and surrogates are not). */
static size_t code_point(berth_str s, uint32_t *ret)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)s.p[0];
    size_t n = first < 0x80             ? 1
               : (first & 0xe0) == 0xc0 ? 2
               : (first & 0xf0) == 0xe0 ? 3
               : (first & 0xf8) == 0xf0 ? 4
                                        : 0;
    if (!n || n > s.n)
        return 0;
    uint32_t c = n == 1 ? first : first & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s.p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | ((unsigned char)s.p[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return n;
}

bool config_text_clean(berth_str s)
{
    while (s.n) {
        uint32_t c = 0;
        size_t n = code_point(s, &c);
        if (!n || c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffe || c == 0xffff)
            return false;
        s = str_from_offset(s, n);
    }
    return true;
}

const char *config_show(berth_str s, char out[CONFIG_SHOWN])
{
    bool clean = config_text_clean(s);
    size_t room = CONFIG_SHOWN - sizeof("...");
    size_t n = MIN(s.n, room);
    while (clean && n < s.n && n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--; /* never half a character */
    for (size_t i = 0; i < n; i++)
        out[i] = clean || (s.p[i] >= 0x20 && s.p[i] < 0x7f) ? s.p[i] : '?';
    memcpy(out + n, s.n > n ? "..." : "", s.n > n ? sizeof("...") : 1);
    return out;
}

static bool filled(berth_str s)
{
    return s.n > 0;
}

static bool port(berth_str s)
{
    uint64_t n;
    return str_to_u64(s, &n) && n <= 65535;
}

static bool inet(int family, berth_str s)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (!s.n || s.n >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), STR_FMT, STR_ARG(s));
    return strlen(text) == s.n && inet_pton(family, text, address) == 1;
}

/* As http_server_listen() takes it. */
static bool address(berth_str s)
{
    uint64_t fd;
    if (str_starts(s, STR("unix:")))
        return s.n > 5;
    if (str_starts(s, STR("fd:")))
        return str_to_u64(str_from_offset(s, 3), &fd) && fd <= 1048576;
    size_t colon = s.n;
    while (colon && s.p[colon - 1] != ':')
        colon--;
    if (!colon || !port(str_from_offset(s, colon)))
        return false;
    berth_str host = str_head(s, colon - 1);
    if (host.n && host.p[0] == '[')
        return host.n > 2 && host.p[host.n - 1] == ']' &&
               inet(AF_INET6, str_head(str_from_offset(host, 1), host.n - 2));
    return !host.n || made_of(host, ".-_");
}

static bool header(berth_str s)
{
    /* What frames a message is the server's alone: a second Content-Length would split answers in two. */
    static const char *const reserved[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                           "Keep-Alive",     "Upgrade",           "Trailer"};
    berth_str name, value;
    if (!str_cut(s, ':', &name, &value) || !is_token(name) || !str_trim(value).n)
        return false;
    for (size_t i = 0; i < COUNT(reserved); i++)
        if (str_eq_nocase(name, str_from(reserved[i])))
            return false;
    return true;
}

static bool prefix(berth_str s)
{
    if (s.n < 2 || s.p[0] != '/')
        return false;
    berth_str rest = str_from_offset(s, 1);
    for (bool more = true; more;) {
        berth_str part;
        more = str_cut(rest, '/', &part, &rest);
        if (!made_of(part, "._~-") || str_eq(part, STR(".")) || str_eq(part, STR("..")))
            return false;
    }
    return true;
}

/* "660", "0660"; the owner, which is the server, must be able to use it. */
static bool mode(berth_str s)
{
    if (s.n == 4 && s.p[0] == '0')
        s = str_from_offset(s, 1);
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '7')
            return false;
    return s.n == 3 && s.p[0] >= '6';
}

static bool proxy(berth_str s)
{
    berth_str host, bits;
    uint64_t n = 0;
    bool net = str_cut(s, '/', &host, &bits);
    if (net && !str_to_u64(bits, &n))
        return false;
    return (inet(AF_INET, host) && n <= 32) || (inet(AF_INET6, host) && n <= 128);
}

/* OpenSSL's own opinion: its words are many, and differ between its versions. */
static bool ciphers(berth_str s)
{
    CLEANUP(freep) char *list = str_dup(s);
    return list && http_tls_knows_ciphers(list);
}

static bool media_type(berth_str s)
{
    berth_str type, sub;
    return str_cut(s, '/', &type, &sub) && is_token(type) && is_token(sub);
}

static bool platform(berth_str s)
{
    unsigned parts = 0;
    for (bool more = true; more; parts++) {
        berth_str part;
        more = str_cut(s, '/', &part, &s);
        if (!made_of(part, "._-"))
            return false;
    }
    return parts == 2 || parts == 3;
}

static bool clock_time(berth_str s)
{
    uint64_t h, m;
    return s.n == 5 && s.p[2] == ':' && str_to_u64(str_head(s, 2), &h) &&
           str_to_u64(str_from_offset(s, 3), &m) && h < 24 && m < 60;
}

static bool window(berth_str s)
{
    berth_str from, to;
    return str_cut(s, '-', &from, &to) && clock_time(from) && clock_time(to) && !str_eq(from, to);
}

static bool url(berth_str s)
{
    return str_starts(s, STR("http://")) || str_starts(s, STR("https://"));
}

const struct config_form config_form_filled = {"a value", NULL, filled};
const struct config_form config_form_address = {"an address to listen on", "localhost:5000", address};
const struct config_form config_form_header = {"a header of your own", "X-Served-By: berth", header};
const struct config_form config_form_prefix = {"a path that begins with '/' and does not end with it",
                                               "/registry", prefix};
const struct config_form config_form_mode = {"the permissions of a socket in octal", "0660", mode};
const struct config_form config_form_proxy = {"an address or a network", "10.0.0.0/8", proxy};
const struct config_form config_form_ciphers = {"a list with ciphers of TLS 1.2 that OpenSSL knows",
                                                HTTP_TLS_CIPHERS, ciphers};
const struct config_form config_form_media_type = {"a media type", "application/octet-stream", media_type};
const struct config_form config_form_platform = {"a platform", "linux/amd64", platform};
const struct config_form config_form_window = {"a time of day from and to", "22:00-06:00", window};
const struct config_form config_form_url = {"the beginning of an http or https URL", "https://example.com/",
                                            url};
/* Their parsers are in config_value.c, as they give a number too. */
const struct config_form config_form_duration = {"a duration", "10m", NULL};
const struct config_form config_form_size = {"a size", "64MiB", NULL};
const struct config_form config_form_number = {"a whole number", NULL, NULL};
const struct config_form config_form_bool = {"true or false", NULL, NULL};
