/* http/range.c - Range and Content-Range; see range.h. */
#include "http/range.h"

#include "http/block.h"

/* Digits only; a number beyond 64 bits counts as the largest: no body reaches it. */
static bool number(berth_str s, uint64_t *ret)
{
    if (!s.n)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    if (!str_to_u64(s, ret))
        *ret = UINT64_MAX;
    return true;
}

/* One "first-last", "first-" or "-length". False: malformed. *@ret_some: whether it lies in @size bytes. */
static bool one_range(berth_str s, uint64_t size, struct http_range *ret, bool *ret_some)
{
    berth_str left, right;
    if (!str_cut(s, '-', &left, &right))
        return false;
    uint64_t first, last = UINT64_MAX;
    if (!left.n) {
        uint64_t length;
        if (!number(right, &length))
            return false;
        *ret_some = length > 0 && size > 0;
        *ret = (struct http_range){length < size ? size - length : 0, size - 1};
        return true;
    }
    if (!number(left, &first) || (right.n && !number(right, &last)))
        return false;
    /* RFC 9110 calls last < first invalid, free to be ignored; other registries answer 416, as is tested for.
     */
    *ret_some = first < size && first <= last;
    *ret = (struct http_range){first, MIN(last, size - 1)};
    return true;
}

/* Neighbours touch too. Both lie within a size, so that + 1 cannot overflow. */
static bool touch(const struct http_range *a, const struct http_range *b)
{
    return a->first <= b->last + 1 && b->first <= a->last + 1;
}

/* Puts @r among those before it; where several become one, the place of the first stays. */
static void insert(struct http_range *ranges, size_t *n, struct http_range r)
{
    size_t place = *n;
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < *n; i++) {
            if (i == place || !touch(&ranges[i], &r))
                continue;
            r.first = MIN(r.first, ranges[i].first);
            r.last = MAX(r.last, ranges[i].last);
            if (place < *n) { /* @r already stands at @place: the later of the two goes */
                size_t gone = MAX(place, i);
                place = MIN(place, i);
                memmove(&ranges[gone], &ranges[gone + 1], (*n - gone - 1) * sizeof(*ranges));
                --*n;
            } else {
                place = i;
            }
            again = true;
            break;
        }
    }
    ranges[place] = r;
    if (place == *n)
        ++*n;
}

enum http_range_result http_range_parse(berth_str header, uint64_t size,
                                        struct http_range ranges[HTTP_RANGES_MAX], size_t *ret_n)
{
    berth_str unit, list, one;
    if (!header.p || !str_cut(header, '=', &unit, &list) || !str_eq_nocase(unit, STR("bytes")))
        return HTTP_RANGE_NONE;
    struct http_range found[HTTP_RANGES_MAX];
    size_t asked = 0, n = 0;
    while (http_list_next(&list, &one)) {
        struct http_range r;
        bool some;
        if (++asked > HTTP_RANGES_MAX || !one_range(one, size, &r, &some))
            return HTTP_RANGE_NONE;
        if (some)
            insert(found, &n, r);
    }
    if (!asked)
        return HTTP_RANGE_NONE;
    if (!n)
        return HTTP_RANGE_UNSATISFIABLE;
    memcpy(ranges, found, n * sizeof(*ranges));
    *ret_n = n;
    return HTTP_RANGE_SOME;
}

bool http_content_range_parse(berth_str header, struct http_range *ret)
{
    berth_str span = header, size = STR_NULL, first, last;
    struct http_range r;
    if (str_eq_nocase(str_head(header, 6), STR("bytes "))) {
        if (!str_cut(str_from_offset(header, 6), '/', &span, &size))
            return false;
    }
    if (!str_cut(span, '-', &first, &last) || !str_to_u64(first, &r.first) || !str_to_u64(last, &r.last) ||
        r.last < r.first)
        return false;
    if (size.p && !str_eq(size, STR("*"))) {
        uint64_t total;
        if (!str_to_u64(size, &total) || r.last >= total)
            return false;
    }
    *ret = r;
    return true;
}

bool http_content_range_answer_parse(berth_str header, struct http_range *ret, uint64_t *ret_size)
{
    berth_str span, size;
    struct http_range r;
    uint64_t total = HTTP_SIZE_UNKNOWN;
    if (!str_eq_nocase(str_head(header, 6), STR("bytes ")) || !http_content_range_parse(header, &r) ||
        !str_cut(header, '/', &span, &size) || (!str_eq(size, STR("*")) && !str_to_u64(size, &total)) ||
        r.last >= total) /* also where the size is unknown: what comes after the last byte has a number too */
        return false;
    *ret = r;
    *ret_size = total;
    return true;
}

bool http_content_range_size_parse(berth_str header, uint64_t *ret_size)
{
    return str_eq_nocase(str_head(header, 8), STR("bytes */")) &&
           str_to_u64(str_from_offset(header, 8), ret_size);
}
