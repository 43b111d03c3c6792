/* util/base64.c - see base64.h. */
#include "util/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(berth_buf *out, const void *p, size_t n)
{
    const unsigned char *b = p;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = MIN(n - i, (size_t)3);
        uint32_t v = (uint32_t)b[i] << 16;
        if (have > 1)
            v |= (uint32_t)b[i + 1] << 8;
        if (have > 2)
            v |= b[i + 2];
        const char four[4] = {letters[v >> 18], letters[v >> 12 & 63], have > 1 ? letters[v >> 6 & 63] : '=',
                              have > 2 ? letters[v & 63] : '='};
        berth_buf_add(out, four, sizeof(four));
    }
}

static int value_of(char ch)
{
    if (ch >= 'A' && ch <= 'Z')
        return ch - 'A';
    if (ch >= 'a' && ch <= 'z')
        return ch - 'a' + 26;
    if (ch >= '0' && ch <= '9')
        return ch - '0' + 52;
    if (ch == '+' || ch == '-')
        return 62;
    return ch == '/' || ch == '_' ? 63 : -1;
}

bool base64_decode(berth_str s, berth_buf *out)
{
    for (size_t padding = 0; padding < 2 && s.n && s.p[s.n - 1] == '='; padding++)
        s.n--;
    if (s.n % 4 == 1)
        return false;
    uint32_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        int six = value_of(s.p[i]);
        if (six < 0)
            return false;
        v = v << 6 | (uint32_t)six;
        if (i % 4) /* the first six bits of four are no byte yet */
            berth_buf_putc(out, (char)(v >> (6 - i % 4 * 2) & 255));
    }
    return true;
}
