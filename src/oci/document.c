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
    size_t run = 0;
    while (run < s.n && is_plain(p[run]))
        run++;
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
    berth_buf_add_str(out, STR("{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":["));
    for (size_t i = 0; i < n; i++) {
        const oci_referrer *d = &list[i];
        add_member(out, i ? STR(",{\"mediaType\":") : STR("{\"mediaType\":"), d->media_type);
        add_member(out, STR(",\"digest\":"), d->digest);
        berth_buf_addf(out, ",\"size\":%llu", (unsigned long long)d->size);
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
