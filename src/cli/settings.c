/* cli/settings.c - settings given as flags, for every command that reads the configuration. */
#include <stdio.h>

#include "cli/cli.h"

/* Short names that people expect; everything else is --<section>-<key>. */
static const struct {
    const char *flag, *key;
} shorts[] = {
    {"--data", "data"},
    {"--listen", "listen"},
    {"--tls-certificate", "tls.certificate"},
    {"--tls-key", "tls.key"},
    {"--tls-client-ca", "tls.client_ca"},
    {"--tls-minimum", "tls.minimum"},
    {"--tls-ciphers", "tls.ciphers"},
    {"--read-only", "registry.read_only"},
    {"--store", "storage.driver"},
};

void cli_settings_done(struct cli_settings *s)
{
    for (size_t i = 0; i < s->n_flags; i++)
        mem_free(s->owned[i]);
    mem_free(s->owned);
    mem_free((void *)s->flags);
    *s = (struct cli_settings){0};
}

static bool add(struct cli_settings *s, char *pair)
{
    char **owned = mem_realloc(s->owned, (s->n_flags + 1) * sizeof(*owned));
    if (owned)
        s->owned = owned;
    const char **flags = mem_realloc((void *)s->flags, (s->n_flags + 1) * sizeof(*flags));
    if (flags)
        s->flags = flags;
    if (!owned || !flags || !pair) {
        mem_free(pair);
        return false;
    }
    s->owned[s->n_flags] = pair;
    s->flags[s->n_flags++] = pair;
    return true;
}

/* "--x" → its key, and whether it may stand without a value. */
static bool key_of(berth_str flag, berth_buf *key, bool *is_bool)
{
    *is_bool = false;
    for (size_t i = 0; i < COUNT(shorts); i++)
        if (str_eq(flag, str_from(shorts[i].flag))) {
            berth_buf_addf(key, "%s", shorts[i].key);
            *is_bool = strcmp(shorts[i].key, "registry.read_only") == 0;
            return true;
        }
    return config_flag_key(flag, key, is_bool);
}

int cli_take_setting(struct cli_settings *s, const char *command, int argc, char **argv, int *i)
{
    berth_str flag, value;
    bool has_value = str_cut(str_from(argv[*i]), '=', &flag, &value), is_bool;
    if (!str_starts(flag, STR("--")))
        return 0;
    if (str_eq(flag, STR("--config"))) {
        if (!has_value && *i + 1 >= argc) {
            cli_usage(command, "--config needs a file");
            return -1;
        }
        s->path = has_value ? value.p : argv[++*i];
        return 1;
    }
    CLEANUP(berth_buf_done) berth_buf pair = BERTH_BUF_INIT(64 * KIB);
    if (!key_of(flag, &pair, &is_bool))
        return 0;
    if (!has_value && is_bool) {
        value = STR("true");
    } else if (!has_value) {
        if (*i + 1 >= argc) {
            cli_usage(command, STR_FMT " needs a value", STR_ARG(flag));
            return -1;
        }
        value = str_from(argv[++*i]);
    }
    berth_buf_putc(&pair, '=');
    berth_buf_add_str(&pair, value);
    if (!add(s, berth_buf_take(&pair))) {
        fprintf(stderr, "berth %s: out of memory\n", command);
        return -1;
    }
    return 1;
}
