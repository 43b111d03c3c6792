/* http/throttle.c - see throttle.h. */
#include "http/throttle.h"

#include "http/date.h"

static bool all_digits(berth_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n;
}

bool http_retry_after_parse(berth_str field, int64_t wall_ms, int64_t *ret_ms)
{
    berth_str s = str_trim(field);
    int64_t date, ms;
    if (all_digits(s)) {
        uint64_t seconds;
        bool small = str_to_u64(s, &seconds) && seconds < (uint64_t)HTTP_RETRY_AFTER_MAX / 1000;
        ms = small ? (int64_t)seconds * 1000 : HTTP_RETRY_AFTER_MAX;
    } else if (http_date_parse(s, &date)) {
        ms = date * 1000 - wall_ms;
    } else {
        return false;
    }
    *ret_ms = MIN(MAX(ms, 0), HTTP_RETRY_AFTER_MAX);
    return true;
}

bool http_rate_parse(berth_str field, uint64_t *ret_n, uint64_t *ret_window_s)
{
    berth_str first, number, rest, name, value, one;
    uint64_t n, window = 0;
    str_cut(field, ',', &first, &rest); /* further policies may follow */
    str_cut(first, ';', &number, &rest);
    if (!str_to_u64(str_trim(number), &n))
        return false;
    while (rest.n) {
        str_cut(rest, ';', &one, &rest);
        if (str_cut(str_trim(one), '=', &name, &value) && str_eq_nocase(name, STR("w")) &&
            !str_to_u64(value, &window))
            return false;
    }
    *ret_n = n;
    *ret_window_s = window;
    return true;
}
