/* daemon/config_print.c - the configuration in force, as YAML that config_load() reads back to the same, or
 * as JSON. */
#include "daemon/config_private.h"

/* What YAML does not take as it stands, or takes for the end of a line (1.1 does so with U+0085, U+2028 and
 * U+2029): 0, or how many bytes it has, and which character it is. */
static size_t needs_escape(berth_str s, unsigned *ret_c)
{
    const unsigned char *p = (const unsigned char *)s.p;
    *ret_c = p[0];
    if (p[0] < 0x20 || p[0] == 0x7f)
        return 1;
    if (s.n >= 2 && p[0] == 0xc2 && p[1] < 0xa0) {
        *ret_c = p[1];
        return 2;
    }
    static const struct {
        char bytes[4];
        unsigned c;
    } three[] = {{"\xe2\x80\xa8", 0x2028},
                 {"\xe2\x80\xa9", 0x2029},
                 {"\xef\xbb\xbf", 0xfeff},
                 {"\xef\xbf\xbe", 0xfffe},
                 {"\xef\xbf\xbf", 0xffff}};
    for (size_t i = 0; i < COUNT(three); i++) {
        *ret_c = three[i].c;
        if (str_starts(s, str_from(three[i].bytes)))
            return 3;
    }
    return 0;
}

void config_add_quoted(berth_str s, berth_buf *out)
{
    berth_buf_putc(out, '"');
    for (size_t i = 0, n; i < s.n; i += n) {
        unsigned c;
        n = needs_escape(str_from_offset(s, i), &c);
        if (n) {
            berth_buf_addf(out, "\\u%04x", c);
            continue;
        }
        if (s.p[i] == '"' || s.p[i] == '\\')
            berth_buf_putc(out, '\\');
        berth_buf_putc(out, s.p[i]);
        n = 1;
    }
    berth_buf_putc(out, '"');
}

static void print_setting(const struct config *c, const struct config_setting *s, const char *indent,
                          berth_buf *out)
{
    berth_buf_addf(out, "%s" STR_FMT ":", indent, STR_ARG(config_name(s)));
    if (s->type != CONFIG_LIST && s->type != CONFIG_RECORDS) {
        CLEANUP(berth_buf_done) berth_buf value = BERTH_BUF_INIT(CONFIG_TEXT_MAX);
        config_add_value(c, s, &value);
        berth_buf_putc(out, ' ');
        if (s->type == CONFIG_TEXT && !value.n)
            berth_buf_add_str(out, STR("null"));
        else if (s->type == CONFIG_TEXT && !s->values)
            config_add_quoted(berth_buf_str(&value), out);
        else
            berth_buf_add_str(out, berth_buf_str(&value));
        berth_buf_putc(out, '\n');
        out->failed |= value.failed;
        return;
    }
    unsigned n = config_count(c, s);
    berth_buf_add_str(out, n ? STR("\n") : STR(" []\n"));
    for (unsigned i = 0; i < n; i++) {
        const void *entry = config_entry(c, s, i);
        const char *lead = "  - ";
        if (s->type == CONFIG_LIST) {
            berth_buf_addf(out, "%s%s", indent, lead);
            config_add_quoted(str_from(*(char *const *)entry), out);
            berth_buf_putc(out, '\n');
        }
        for (size_t f = 0; f < s->n_fields; f++) {
            const char *text = *config_field_at(entry, &s->fields[f]);
            if (!text)
                continue;
            berth_buf_addf(out, "%s%s%s: ", indent, lead, s->fields[f].key);
            config_add_quoted(str_from(text), out);
            berth_buf_putc(out, '\n');
            lead = "    ";
        }
    }
}

int config_print(const struct config *c, berth_buf *out, berth_error *err)
{
    berth_str open = STR_NULL;
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        berth_str section = config_section(s);
        if (!config_in_file(s))
            continue;
        if (!str_eq(section, open))
            berth_buf_addf(out, STR_FMT ":\n", STR_ARG(section));
        open = section;
        print_setting(c, s, section.n ? "  " : "", out);
    }
    return berth_buf_failed(out) ? config_nomem(err) : BERTH_OK;
}

/* --- as JSON --- */

static void print_json_entry(const struct config_setting *s, const void *entry, berth_buf *out)
{
    char lead = '{';
    if (s->type == CONFIG_LIST)
        config_add_quoted(str_from(*(char *const *)entry), out);
    for (size_t f = 0; f < s->n_fields; f++) {
        const char *text = *config_field_at(entry, &s->fields[f]);
        if (!text)
            continue;
        berth_buf_addf(out, "%c\"%s\":", lead, s->fields[f].key);
        config_add_quoted(str_from(text), out);
        lead = ',';
    }
    if (s->n_fields)
        berth_buf_add_str(out, lead == '{' ? STR("{}") : STR("}"));
}

static void print_json_value(const struct config *c, const struct config_setting *s, berth_buf *out)
{
    CLEANUP(berth_buf_done) berth_buf value = BERTH_BUF_INIT(CONFIG_TEXT_MAX);
    if (s->type == CONFIG_LIST || s->type == CONFIG_RECORDS) {
        berth_buf_putc(out, '[');
        for (unsigned i = 0, n = config_count(c, s); i < n; i++) {
            berth_buf_add_str(out, i ? STR(",") : STR(""));
            print_json_entry(s, config_entry(c, s, i), out);
        }
        berth_buf_putc(out, ']');
        return;
    }
    config_add_value(c, s, &value);
    if (s->type == CONFIG_TEXT && !value.n)
        berth_buf_add_str(out, STR("null"));
    else if (s->type == CONFIG_BOOL || s->type == CONFIG_NUMBER)
        berth_buf_add_str(out, berth_buf_str(&value));
    else
        config_add_quoted(berth_buf_str(&value), out);
    out->failed |= value.failed;
}

int config_print_json(const struct config *c, berth_buf *out, berth_error *err)
{
    berth_str open = STR_NULL;
    char lead = '{';
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        berth_str section = config_section(s);
        if (!config_in_file(s))
            continue;
        if (open.n && !str_eq(section, open))
            berth_buf_putc(out, '}');
        if (section.n && !str_eq(section, open)) {
            berth_buf_addf(out, "%c\"" STR_FMT "\":", lead, STR_ARG(section));
            lead = '{';
        }
        open = section;
        berth_buf_addf(out, "%c\"" STR_FMT "\":", lead, STR_ARG(config_name(s)));
        print_json_value(c, s, out);
        lead = ',';
    }
    berth_buf_add_str(out, open.n ? STR("}}\n") : STR("}\n"));
    return berth_buf_failed(out) ? config_nomem(err) : BERTH_OK;
}
