/* daemon/config_print.c - the configuration in force, as YAML that config_load() reads back to the same. */
#include "daemon/config_private.h"

void config_add_quoted(berth_str s, berth_buf *out)
{
    berth_buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        berth_str three = str_head(str_from_offset(s, i), 3);
        if (c == '"' || c == '\\')
            berth_buf_addf(out, "\\%c", c);
        else if (c < 0x20)
            berth_buf_addf(out, "\\u%04x", c);
        else if (str_eq(three, STR("\xe2\x80\xa8")) || str_eq(three, STR("\xe2\x80\xa9"))) {
            /* YAML 1.1 breaks a line at U+2028 and U+2029, and folds it to a space. */
            berth_buf_addf(out, "\\u%04x", (unsigned char)three.p[2] == 0xa8 ? 0x2028 : 0x2029);
            i += 2;
        } else if (str_eq(three, STR("\xef\xbb\xbf"))) {
            berth_buf_add_str(out, STR("\\ufeff"));
            i += 2;
        } else
            berth_buf_putc(out, (char)c);
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
