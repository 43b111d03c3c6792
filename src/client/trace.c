/* client/trace.c - what the trace callback is told: header blocks as they went and came, with secrets masked.
 */
#include "client/internal.h"

#include <stdio.h>

#define TEXT_MAX (1 * MIB)
#define MASK     "***"

/* Words in the name of a field or a parameter whose value nobody else should read. */
static bool is_secret(berth_str name)
{
    static const char *const words[] = {"auth",   "cookie",    "credential", "key",   "password",
                                        "secret", "signature", "session-id", "token", "x-jfrog"};
    static const char *const open[] = {"www-authenticate", "proxy-authenticate"};
    char lower[64];
    size_t n = MIN(name.n, sizeof(lower) - 1);
    for (size_t i = 0; i < n; i++)
        lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + ('a' - 'A') : name.p[i]);
    lower[n] = '\0';
    for (size_t i = 0; i < COUNT(open); i++)
        if (strcmp(lower, open[i]) == 0)
            return false;
    for (size_t i = 0; i < COUNT(words); i++)
        if (strstr(lower, words[i]))
            return true;
    return strcmp(lower, "sig") == 0 || strcmp(lower, "code") == 0;
}

static bool ends_parameter(char ch)
{
    return ch == '&' || ch == ' ' || ch == '"' || ch == '>' || ch == '#' || ch == ',';
}

/* A line, or a part of one: the values of secret parameters of URLs in it, and passwords before a host, go.
 */
static void mask_urls(berth_str s, berth_buf *out)
{
    bool in_query = false;
    for (size_t i = 0; i < s.n;) {
        if (s.n - i >= 3 && memcmp(s.p + i, "://", 3) == 0) {
            size_t end = i + 3, at = 0;
            for (; end < s.n && s.p[end] != '/' && s.p[end] != '?' && s.p[end] != ' '; end++)
                at = s.p[end] == '@' ? end : at;
            berth_buf_add(out, s.p + i, 3);
            i += 3;
            if (at) {
                berth_buf_addf(out, MASK);
                i = at;
            }
            continue;
        }
        char ch = s.p[i++];
        berth_buf_putc(out, ch);
        in_query = ch == '?' || (in_query && ch != ' ' && ch != '"' && ch != '>');
        if (!in_query || (ch != '?' && ch != '&'))
            continue;
        berth_str left = str_from_offset(s, i);
        size_t n = 0;
        while (n < left.n && left.p[n] != '=' && !ends_parameter(left.p[n]))
            n++;
        if (n == left.n || left.p[n] != '=' || !is_secret(str_head(left, n)))
            continue;
        berth_buf_add(out, left.p, n + 1);
        berth_buf_addf(out, MASK);
        while (++n < left.n && !ends_parameter(left.p[n]))
            ;
        i += n;
    }
}

/* The word before a secret tells of what kind it is: "Bearer ***". */
static void mask_value(berth_str value, berth_buf *out)
{
    berth_str word, rest;
    if (str_cut(value, ' ', &word, &rest) && word.n <= 16)
        berth_buf_addf(out, STR_FMT " ", STR_ARG(word));
    berth_buf_addf(out, MASK);
}

void trace_mask(berth_str block, berth_buf *out)
{
    berth_str line, name, value;
    size_t start = out->n;
    for (bool first = true; block.n; first = false) {
        str_cut(block, '\n', &line, &block);
        if (str_ends(line, STR("\r")))
            line.n--;
        if (!line.n)
            continue;
        if (!first && str_cut(line, ':', &name, &value) && is_secret(name)) {
            berth_buf_addf(out, STR_FMT ": ", STR_ARG(name));
            mask_value(str_trim(value), out);
        } else {
            mask_urls(line, out);
        }
        berth_buf_putc(out, '\n');
    }
    for (size_t i = start; i < out->n; i++) /* nothing in it shall act on a terminal */
        if (((unsigned char)out->p[i] < ' ' && out->p[i] != '\n') || out->p[i] == 0x7f)
            out->p[i] = '?';
}

void trace_tell(const struct trace *t, berth_trace what, uint64_t exchange, berth_str block)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(TEXT_MAX);
    trace_mask(block, &text);
    const char *s = berth_buf_cstr(&text);
    if (t->fn && s)
        t->fn(t->arg, what, exchange, s);
}
