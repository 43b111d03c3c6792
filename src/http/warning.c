/* http/warning.c - see warning.h. */
#include "http/warning.h"

bool http_warning_parse(berth_str field, berth_buf *out)
{
    berth_str s = str_trim(field);
    size_t begin = out->n;
    if (!str_starts(s, STR("299 - \"")))
        return false;
    s = str_from_offset(s, 7);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"')
            return out->n > begin && !berth_buf_failed(out);
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
        berth_buf_putc(out, s.p[i]);
    }
    return false;
}
