/* http/throttle.c - see throttle.h. */
#include "http/throttle.h"

#include "http/date.h"

#define UNIX_TIME 1000000000 /* so many seconds nobody has to wait */

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

bool http_rate_reset_parse(berth_str field, int64_t wall_ms, int64_t *ret_ms)
{
    uint64_t n;
    berth_str s = str_trim(field);
    if (!all_digits(s))
        return false;
    bool far = !str_to_u64(s, &n) || n > (uint64_t)INT64_MAX / 1000;
    int64_t ms = far ? HTTP_RETRY_AFTER_MAX : (int64_t)n * 1000 - (n >= UNIX_TIME ? wall_ms : 0);
    *ret_ms = MIN(MAX(ms, 0), HTTP_RETRY_AFTER_MAX);
    return true;
}
