/* util/str.h - views on bytes: pointer and length, passed by value, never assumed to end in NUL. */
#ifndef UTIL_STR_H
#define UTIL_STR_H

#include <string.h>

#include "util/base.h"

typedef struct berth_str {
    const char *p;
    size_t n;
} berth_str;

#define STR(lit)   ((berth_str){"" lit, sizeof(lit) - 1})
#define STR_NULL   ((berth_str){NULL, 0})
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)MIN((s).n, (size_t)INT32_MAX), (s).p ? (s).p : ""

/* @s may be NULL: the empty view. */
static inline berth_str str_from(const char *s)
{
    return (berth_str){s, s ? strlen(s) : 0};
}

bool str_eq(berth_str a, berth_str b);
bool str_eq_nocase(berth_str a, berth_str b); /* ASCII letters only */
int str_cmp(berth_str a, berth_str b);        /* bytewise, shorter first */
bool str_starts(berth_str s, berth_str prefix);
bool str_ends(berth_str s, berth_str suffix);
berth_str str_from_offset(berth_str s, size_t offset); /* beyond the end: empty */
berth_str str_head(berth_str s, size_t n);             /* the first @n bytes, or all */
berth_str str_trim(berth_str s);                       /* spaces and tabs at both ends */

/* Splits at the first @sep: true and both parts, or false with *@head = @s and *@tail empty. */
bool str_cut(berth_str s, char sep, berth_str *head, berth_str *tail);

/* Decimal digits only, the whole view, no sign; false on anything else or overflow. */
bool str_to_u64(berth_str s, uint64_t *ret);

/* A NUL-terminated copy from mem_alloc(), or what printf() makes of it; NULL without memory. */
char *str_dup(berth_str s);
char *str_dupf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
