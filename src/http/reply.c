/* http/reply.c - see reply.h. */
#include "http/reply.h"

#include "http/block.h"

/* What no text may hold, whatever else stands in it: who shows it minds that. */
static bool is_text(berth_str s)
{
    return !s.n || (!memchr(s.p, '\0', s.n) && !memchr(s.p, '\r', s.n));
}

/* "HTTP/1.1 200", and a reason that nobody needs. */
static bool read_status(berth_str line, unsigned *ret_minor, int *ret_status)
{
    berth_str version = str_head(line, 9), digits, reason;
    uint64_t status;
    if (!str_eq(version, STR("HTTP/1.1 ")) && !str_eq(version, STR("HTTP/1.0 ")))
        return false;
    if (!str_cut(str_from_offset(line, 9), ' ', &digits, &reason))
        digits = str_from_offset(line, 9);
    if (digits.n != 3 || !str_to_u64(digits, &status) || status < 100 || !is_text(line))
        return false;
    *ret_minor = version.p[7] == '1';
    *ret_status = (int)status;
    return true;
}

static bool read_length(berth_str value, int64_t *length)
{
    uint64_t n;
    if (!str_to_u64(value, &n) || n > INT64_MAX || (*length >= 0 && *length != (int64_t)n))
        return false;
    *length = (int64_t)n;
    return true;
}

static void read_connection(berth_str value, bool *keeps)
{
    berth_str one;
    while (http_list_next(&value, &one)) {
        if (str_eq_nocase(one, STR("close")))
            *keeps = false;
        else if (str_eq_nocase(one, STR("keep-alive")))
            *keeps = true;
    }
}

static bool read_field(berth_str line, struct http_reply *a)
{
    berth_str name, value;
    if (!str_cut(line, ':', &name, &value) || !http_is_token(name) || !is_text(value))
        return false;
    value = str_trim(value);
    if (str_eq_nocase(name, STR("Content-Length")))
        return read_length(value, &a->content_length);
    if (str_eq_nocase(name, STR("Connection")))
        read_connection(value, &a->keep_alive);
    if (!str_eq_nocase(name, STR("Transfer-Encoding")))
        return true;
    bool twice = a->chunked;
    a->chunked = str_eq_nocase(value, STR("chunked"));
    return a->chunked && !twice;
}

/* Without its CRLF; false where there is none. */
static bool next_line(berth_str *left, berth_str *ret)
{
    if (!str_cut(*left, '\n', ret, left) || !ret->n || ret->p[ret->n - 1] != '\r')
        return false;
    ret->n--;
    return true;
}

bool http_reply_parse(berth_str block, struct http_reply *ret)
{
    struct http_reply a = {.content_length = -1};
    unsigned minor;
    berth_str line;
    if (!next_line(&block, &line) || !read_status(line, &minor, &a.status))
        return false;
    a.keep_alive = minor;
    do
        if (!next_line(&block, &line) || (line.n && !read_field(line, &a)))
            return false;
    while (line.n);
    if (block.n)
        return false;
    if (a.chunked && a.content_length >= 0) { /* the sender is confused: this is the last that it says */
        a.content_length = -1;
        a.keep_alive = false;
    }
    *ret = a;
    return true;
}
