/* http/chunk.c - the checker of chunked framing; see chunk.h. */
#include "http/chunk.h"

#include "http/block.h"

static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9')
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return -1;
}

/* 14 digits: a sum of sizes does not overflow, and no body is as long. */
static int size_byte(struct http_chunk_check *c, char ch)
{
    int v = hex_value(ch);
    if (v >= 0) {
        if (++c->digits > 14)
            return CHUNK_BAD;
        c->left = c->left * 16 + (uint64_t)v;
        return CHUNK_SIZE;
    }
    if (!c->digits)
        return CHUNK_BAD;
    return ch == '\r' ? CHUNK_SIZE_LF : ch == ';' ? CHUNK_EXTENSION : CHUNK_BAD;
}

static int text_byte(char ch, int here, int at_cr)
{
    return ch == '\r' ? at_cr : http_is_field_value((berth_str){&ch, 1}) ? here : CHUNK_BAD;
}

static int frame_byte(struct http_chunk_check *c, char ch)
{
    if (c->state < CHUNK_DATA && ++c->line > HTTP_CHUNK_LINE_MAX)
        return CHUNK_BAD;
    if (c->state >= CHUNK_TRAILER && ++c->line > HTTP_CHUNK_TRAILER_MAX)
        return CHUNK_BAD;
    switch (c->state) {
    case CHUNK_SIZE:
        return size_byte(c, ch);
    case CHUNK_EXTENSION:
        return text_byte(ch, CHUNK_EXTENSION, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        c->line = 0;
        c->digits = 0;
        return ch != '\n' ? CHUNK_BAD : c->left ? CHUNK_DATA : CHUNK_TRAILER;
    case CHUNK_DATA_CR:
        return ch == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
    case CHUNK_DATA_LF:
        return ch == '\n' ? CHUNK_SIZE : CHUNK_BAD;
    case CHUNK_TRAILER:
        if (ch == '\r')
            return CHUNK_END_LF;
        return http_is_token((berth_str){&ch, 1}) ? CHUNK_TRAILER_NAME : CHUNK_BAD;
    case CHUNK_TRAILER_NAME:
        if (ch == ':')
            return CHUNK_TRAILER_VALUE;
        return http_is_token((berth_str){&ch, 1}) ? CHUNK_TRAILER_NAME : CHUNK_BAD;
    case CHUNK_TRAILER_VALUE:
        return text_byte(ch, CHUNK_TRAILER_VALUE, CHUNK_TRAILER_LF);
    case CHUNK_TRAILER_LF:
        return ch == '\n' ? CHUNK_TRAILER : CHUNK_BAD;
    case CHUNK_END_LF:
        return ch == '\n' ? CHUNK_END : CHUNK_BAD;
    case CHUNK_DATA:
    case CHUNK_END:
    case CHUNK_BAD:
        break;
    }
    return CHUNK_BAD;
}

size_t http_chunk_check(struct http_chunk_check *c, const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && c->state != CHUNK_END && c->state != CHUNK_BAD) {
        if (c->state == CHUNK_DATA) {
            uint64_t take = MIN(c->left, (uint64_t)(n - i));
            c->left -= take;
            i += (size_t)take;
            if (!c->left)
                c->state = CHUNK_DATA_CR;
            continue;
        }
        c->state = (__typeof__(c->state))frame_byte(c, p[i++]);
    }
    return i;
}
