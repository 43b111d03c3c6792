/* oci/document.c - writes JSON straight into the buffer: these are hot listing paths; see document.h. */
#include "oci/document.h"

#include "oci/mediatype.h"

/* The length of the UTF-8 sequence at @i, 0 where there is none: no overlong form, no surrogate, nothing
 * above U+10FFFF (RFC 3629, table in section 4). */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    unsigned char least = 0x80, most = 0xbf; /* of the second byte */
    size_t n;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if ((p[0] & 0xf0) == 0xe0)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return p[0] < 0x80;
    if (p[0] == 0xe0)
        least = 0xa0;
    else if (p[0] == 0xed)
        most = 0x9f;
    else if (p[0] == 0xf0)
        least = 0x90;
    else if (p[0] == 0xf4)
        most = 0x8f;
    if (left < n || p[1] < least || p[1] > most)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

bool oci_utf8_valid(berth_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    for (size_t i = 0, n; i < s.n; i += n) {
        n = p[i] < 0x80 ? 1 : utf8_length(p + i, s.n - i);
        if (n == 0)
            return false;
    }
    return true;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* How many plain bytes @p begins with, eight at a time: a page of referrers has 200,000 of them, and looking
 * at each took a seventh of its time. */
static size_t plain_run(const unsigned char *p, size_t n)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones * 0x80;
    size_t at = 0;
    for (; n - at >= 8; at += 8) {
        uint64_t v;
        memcpy(&v, p + at, 8);
        uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
        /* x - ones has its top bit set in each byte that was 0, or lies above one that was: never too few */
        if ((v | (v - ones * 0x20) | (quote - ones) | (slash - ones)) & tops)
            break;
    }
    while (at < n && is_plain(p[at]))
        at++;
    return at;
}

static void add_escaped(berth_buf *out, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    switch (c) {
    case '"':
        berth_buf_add_str(out, STR("\\\""));
        return;
    case '\\':
        berth_buf_add_str(out, STR("\\\\"));
        return;
    case '\n':
        berth_buf_add_str(out, STR("\\n"));
        return;
    case '\r':
        berth_buf_add_str(out, STR("\\r"));
        return;
    case '\t':
        berth_buf_add_str(out, STR("\\t"));
        return;
    default:
        berth_buf_add_str(out, STR("\\u00"));
        berth_buf_putc(out, digits[c >> 4]);
        berth_buf_putc(out, digits[c & 15]);
    }
}

void oci_print_string(berth_buf *out, berth_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t run = plain_run(p, s.n);
    if (run == s.n) { /* names, tags and digests: one copy */
        char *at = berth_buf_reserve(out, s.n + 2);
        if (!at)
            return;
        at[0] = '"';
        if (s.n)
            memcpy(at + 1, s.p, s.n);
        at[s.n + 1] = '"';
        berth_buf_grow(out, s.n + 2);
        return;
    }
    berth_buf_putc(out, '"');
    size_t from = 0; /* what stands before @i and was not yet written */
    for (size_t i = run; i < s.n;) {
        size_t n = is_plain(p[i]) ? 1 : p[i] < 0x80 ? 0 : utf8_length(p + i, s.n - i);
        if (n) {
            i += n;
            continue;
        }
        berth_buf_add(out, p + from, i - from);
        if (p[i] < 0x80)
            add_escaped(out, p[i]);
        else
            berth_buf_add_str(out, STR("\xef\xbf\xbd")); /* U+FFFD */
        from = ++i;
    }
    berth_buf_add(out, p + from, s.n - from);
    berth_buf_putc(out, '"');
}

/* ,"name":"text" */
static void add_member(berth_buf *out, berth_str head, berth_str value)
{
    berth_buf_add_str(out, head);
    oci_print_string(out, value);
}

static void add_strings(berth_buf *out, const berth_str *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            berth_buf_putc(out, ',');
        oci_print_string(out, list[i]);
    }
}

void oci_print_errors(berth_buf *out, const oci_error_entry *entries, size_t n)
{
    berth_buf_add_str(out, STR("{\"errors\":["));
    for (size_t i = 0; i < n; i++) {
        add_member(out, i ? STR(",{\"code\":") : STR("{\"code\":"), str_from(entries[i].code));
        add_member(out, STR(",\"message\":"), entries[i].message);
        if (entries[i].detail_json.n) {
            berth_buf_add_str(out, STR(",\"detail\":"));
            berth_buf_add_str(out, entries[i].detail_json);
        }
        berth_buf_putc(out, '}');
    }
    berth_buf_add_str(out, STR("]}"));
}

void oci_print_tags(berth_buf *out, berth_str name, const berth_str *tags, size_t n)
{
    add_member(out, STR("{\"name\":"), name);
    berth_buf_add_str(out, STR(",\"tags\":["));
    add_strings(out, tags, n);
    berth_buf_add_str(out, STR("]}"));
}

void oci_print_catalog(berth_buf *out, const berth_str *names, size_t n)
{
    berth_buf_add_str(out, STR("{\"repositories\":["));
    add_strings(out, names, n);
    berth_buf_add_str(out, STR("]}"));
}

void oci_print_referrers(berth_buf *out, const oci_referrer *list, size_t n)
{
    size_t most = 128; /* what they take when nothing has to be escaped */
    for (size_t i = 0; i < n; i++)
        most += list[i].media_type.n + list[i].digest.n + list[i].artifact_type.n +
                list[i].annotations_json.n + 96;
    berth_buf_reserve(out, MIN(most, out->max - out->n));
    berth_buf_add_str(out, STR("{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":["));
    for (size_t i = 0; i < n; i++) {
        const oci_referrer *d = &list[i];
        add_member(out, i ? STR(",{\"mediaType\":") : STR("{\"mediaType\":"), d->media_type);
        add_member(out, STR(",\"digest\":"), d->digest);
        berth_buf_add_str(out, STR(",\"size\":"));
        berth_buf_add_uint(out, d->size);
        if (d->artifact_type.n)
            add_member(out, STR(",\"artifactType\":"), d->artifact_type);
        if (d->annotations_json.n) {
            berth_buf_add_str(out, STR(",\"annotations\":"));
            berth_buf_add_str(out, d->annotations_json);
        }
        berth_buf_putc(out, '}');
    }
    berth_buf_add_str(out, STR("]}"));
}

void oci_print_object(berth_buf *out, const berth_str *pairs, size_t n)
{
    berth_buf_putc(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (i)
            berth_buf_putc(out, ',');
        oci_print_string(out, pairs[2 * i]);
        berth_buf_putc(out, ':');
        oci_print_string(out, pairs[2 * i + 1]);
    }
    berth_buf_putc(out, '}');
}
