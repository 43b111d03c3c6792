/* http/date.h - dates as HTTP writes them (RFC 9110 section 5.6.7), whatever the locale. Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/throttle.c. */
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include "util/str.h"

/* Seconds since the epoch, in each of the three forms: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94
 * 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". The name of the day is not compared with the date. */
bool http_date_parse(berth_str s, int64_t *ret_seconds);

#endif
