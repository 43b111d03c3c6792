/* util/buf.c - the growable buffer; see buf.h. */
#include "util/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/fault.h"

void berth_buf_init(berth_buf *b, size_t max)
{
    *b = (berth_buf)BERTH_BUF_INIT(max);
}

void berth_buf_done(berth_buf *b)
{
    mem_free(b->p);
    berth_buf_init(b, b->max);
}

void berth_buf_reset(berth_buf *b)
{
    b->n = 0;
    b->failed = b->exceeded = false;
}

char *berth_buf_reserve(berth_buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (n > b->max - b->n) {
        b->failed = b->exceeded = true;
        return NULL;
    }
    size_t need = b->n + n + 1; /* one for the NUL of _cstr() */
    if (need > b->cap) {
        size_t cap = MAX(b->cap * 2, MAX(need, (size_t)64));
        char *p = fault_hit() ? NULL : mem_realloc(b->p, cap);
        if (!p) {
            b->failed = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    return b->p + b->n;
}

void berth_buf_grow(berth_buf *b, size_t n)
{
    b->n += n;
}

void berth_buf_add(berth_buf *b, const void *p, size_t n)
{
    char *at = berth_buf_reserve(b, n);
    if (!at)
        return;
    if (n)
        memcpy(at, p, n);
    b->n += n;
}

void berth_buf_add_str(berth_buf *b, berth_str s)
{
    berth_buf_add(b, s.p, s.n);
}

void berth_buf_putc(berth_buf *b, char c)
{
    berth_buf_add(b, &c, 1);
}

int berth_buf_write(const char *p, size_t n, void *buf)
{
    berth_buf_add(buf, p, n);
    return berth_buf_failed(buf) ? -1 : 0;
}

void berth_buf_addf(berth_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    size_t room = b->p && !b->failed ? b->cap - b->n : 0; /* most texts fit: printed once */
    int n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
    va_end(ap);
    char *at = n < 0 ? NULL : berth_buf_reserve(b, (size_t)n);
    if (at) {
        if ((size_t)n >= room)
            vsnprintf(at, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

void berth_buf_add_uint(berth_buf *b, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    berth_buf_add(b, digits + at, sizeof(digits) - at);
}

void berth_buf_add_int(berth_buf *b, int64_t v)
{
    if (v < 0)
        berth_buf_putc(b, '-');
    berth_buf_add_uint(b, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

const char *berth_buf_cstr(berth_buf *b)
{
    if (!berth_buf_reserve(b, 0))
        return NULL;
    b->p[b->n] = '\0';
    return b->p;
}

char *berth_buf_take(berth_buf *b)
{
    if (!berth_buf_cstr(b))
        return NULL;
    char *p = steal(&b->p);
    berth_buf_init(b, b->max);
    return p;
}
