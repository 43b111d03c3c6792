/* http/link.c - see link.h. */
#include "http/link.h"

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t';
}

static berth_str skip_blanks(berth_str s)
{
    while (s.n && is_blank(s.p[0]))
        s = str_from_offset(s, 1);
    return s;
}

/* Takes ";name=value"; the value without its quotes (an escape in it stays as it is). False: none follows. */
static bool take_parameter(berth_str *at, berth_str *ret_name, berth_str *ret_value)
{
    berth_str s = skip_blanks(*at);
    if (!s.n || s.p[0] != ';')
        return false;
    s = skip_blanks(str_from_offset(s, 1));
    size_t n = 0;
    while (n < s.n && s.p[n] != '=' && s.p[n] != ';' && s.p[n] != ',' && !is_blank(s.p[n]))
        n++;
    *ret_name = str_head(s, n);
    *ret_value = STR("");
    s = skip_blanks(str_from_offset(s, n));
    if (s.n && s.p[0] == '=') {
        s = skip_blanks(str_from_offset(s, 1));
        bool quoted = s.n && s.p[0] == '"';
        s = str_from_offset(s, quoted);
        for (n = 0; n < s.n && (quoted ? s.p[n] != '"' : s.p[n] != ';' && s.p[n] != ',' && !is_blank(s.p[n]));
             n++)
            if (quoted && s.p[n] == '\\' && n + 1 < s.n)
                n++;
        *ret_value = str_head(s, n);
        s = str_from_offset(s, n + quoted);
    }
    *at = s;
    return true;
}

/* A rel may name several relations. */
static bool is_next(berth_str relations)
{
    berth_str one;
    while (relations.n) {
        str_cut(relations, ' ', &one, &relations);
        if (str_eq_nocase(one, STR("next")))
            return true;
    }
    return false;
}

berth_str http_link_next(berth_str field)
{
    berth_str target, name, value;
    while (str_cut(field, '<', &name, &field) && str_cut(field, '>', &target, &field)) {
        bool found = false, has_rel = false;
        while (take_parameter(&field, &name, &value))
            if (str_eq_nocase(name, STR("rel")) && !has_rel) { /* of two, the first counts */
                has_rel = true;
                found = is_next(value);
            }
        if (found)
            return str_trim(target);
    }
    return STR_NULL;
}
