/* http/throttle.h - what a server says of its limits: Retry-After (RFC 9110 section 10.2.3), and the
 * RateLimit fields as Docker Hub sends them. Pure.
 *
 * Foreign input: fuzzed by tests/fuzz/throttle.c. */
#ifndef HTTP_THROTTLE_H
#define HTTP_THROTTLE_H

#include "util/str.h"

#define HTTP_RETRY_AFTER_MAX (366ll * 86400 * 1000) /* ms; longer ones count as this */

/* From now on, @wall_ms, in milliseconds; a moment that has passed is 0. False: neither a number of seconds
 * nor a date. */
bool http_retry_after_parse(berth_str field, int64_t wall_ms, int64_t *ret_ms);

/* "100;w=21600": so many, within so many seconds (0: not said). */
bool http_rate_parse(berth_str field, uint64_t *ret_n, uint64_t *ret_window_s);

/* RateLimit-Reset: in so many seconds, or (GitLab) at a second of Unix time; in milliseconds from now on. */
bool http_rate_reset_parse(berth_str field, int64_t wall_ms, int64_t *ret_ms);

#endif
