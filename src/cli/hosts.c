/* cli/hosts.c - what holds for one host: see hosts.h. Nothing here reads or writes a file. */
#include "cli/hosts.h"

#include <stdio.h>

#include "auth/place.h"
#include "cli/remote.h"

const struct cli_option host_options[] = {
    {.name = "chunk-size",
     .kind = CLI_SIZE,
     .value = "SIZE",
     .at = offsetof(struct remote, chunk_size),
     .per_host = true,
     .help = "of chunks of an upload (BERTH_CHUNK_SIZE, or 16MiB)"},
    {0},
};

const struct cli_option *hosts_option_at(size_t i)
{
    static const struct cli_command any = {.takes = CLI_HOST_SETTINGS};
    const struct cli_option *o;
    for (size_t k = 0; (o = cli_shared_options(&any, k)); k++)
        if (o->per_host && i-- == 0)
            return o;
    return NULL;
}

const struct cli_option *hosts_option(berth_str name)
{
    const struct cli_option *o;
    for (size_t i = 0; (o = hosts_option_at(i)); i++)
        if (str_eq(name, str_from(o->name)))
            return o;
    return NULL;
}

/* --- entries --- */

/* "http://registry.example/" is the entry's host as well, and Docker Hub has several names. */
struct hosts_entry *hosts_find(const struct hosts *h, const char *host)
{
    struct hosts_entry *at = h->first;
    while (at && !auth_place_same(str_from(at->name), str_from(host)))
        at = at->next;
    return at;
}

struct host_setting *host_find(const struct hosts_entry *host, const struct cli_option *o)
{
    for (size_t i = 0; host && i < host->n; i++)
        if (host->settings[i].option == o)
            return &host->settings[i];
    return NULL;
}

int hosts_add(struct hosts *h, const char *name, struct hosts_entry **ret, berth_error *err)
{
    struct hosts_entry **last = &h->first, *host = berth_arena_alloc(&h->arena, sizeof(*host));
    const char *copy = berth_arena_dup(&h->arena, str_from(name));
    if (!host || !copy)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    while (*last)
        last = &(*last)->next;
    host->name = copy;
    *ret = *last = host;
    return BERTH_OK;
}

int hosts_set(struct hosts *h, struct hosts_entry *host, const struct host_setting *s, berth_error *err)
{
    struct host_setting *at = host_find(host, s->option);
    if (!at && (host->n & (host->n - 1)) == 0) { /* full */
        struct host_setting *larger =
            berth_arena_alloc(&h->arena, (host->n ? host->n * 2 : 1) * sizeof(*larger));
        if (!larger)
            return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
        if (host->n)
            memcpy(larger, host->settings, host->n * sizeof(*larger));
        host->settings = larger;
    }
    if (!at)
        at = &host->settings[host->n++];
    *at = *s;
    return BERTH_OK;
}

bool hosts_unset(struct hosts_entry *host, const struct cli_option *o)
{
    struct host_setting *at = host_find(host, o);
    if (!at)
        return false;
    size_t behind = (size_t)(host->settings + host->n - (at + 1));
    memmove(at, at + 1, behind * sizeof(*at));
    host->n--;
    return true;
}

bool hosts_remove(struct hosts *h, const char *host)
{
    const struct hosts_entry *gone = hosts_find(h, host);
    struct hosts_entry **at = &h->first;
    while (*at && *at != gone)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    return gone;
}

/* --- what goes together --- */

/* The first does not hold where somebody before it has said the second. */
static const struct {
    const char *name, *other;
    bool excluded; /* by the same entry too */
} yields[] = {
    {"plain-http", "https", true},
    {"https", "plain-http", true},
    {"plain-http", "ca-file", true},
    {"plain-http", "insecure", true},
    {"plain-http", "client-cert", true},
    {"ca-file", "plain-http", true},
    {"insecure", "plain-http", true},
    {"client-cert", "plain-http", true},
    {"client-key", "client-cert", false},
    {"ipv4", "ipv6", true},
    {"ipv6", "ipv4", true},
    {"proxy", "unix-socket", true},
    {"unix-socket", "proxy", true},
};

static bool is_named(const struct cli_option *o, const char *name)
{
    return strcmp(o->name, name) == 0;
}

/* A flag that is off says nothing about others. */
static bool is_on(const struct cli_option *o, const char *text)
{
    return o->kind != CLI_FLAG || strcmp(text, "true") == 0;
}

bool host_contradicts(const struct hosts_entry *host, const struct host_setting **ret_one,
                      const struct host_setting **ret_other)
{
    for (size_t i = 0; i < COUNT(yields); i++) {
        const struct host_setting *one = host_find(host, hosts_option(str_from(yields[i].name)));
        const struct host_setting *other = host_find(host, hosts_option(str_from(yields[i].other)));
        if (yields[i].excluded && one && other && one < other && is_on(one->option, one->values[0]) &&
            is_on(other->option, other->values[0])) {
            *ret_one = one;
            *ret_other = other;
            return true;
        }
    }
    return false;
}

/* Whether @given leaves room for @o. */
static bool is_free(const struct cli_option *o, const char *text, const struct cli_given *given, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (given[i].option == o)
            return false;
        for (size_t k = 0; is_on(o, text) && k < COUNT(yields); k++)
            if (!given[i].alone && is_named(o, yields[k].name) &&
                is_named(given[i].option, yields[k].other) && is_on(given[i].option, given[i].text))
                return false;
    }
    return true;
}

/* --- what holds --- */

size_t hosts_environment(const struct environment *e, struct cli_given out[HOSTS_VARIABLES])
{
    const char *credentials = e->credentials ? e->credentials : getenv("REGISTRY_AUTH_FILE");
    const struct {
        const char *name, *text;
    } all[] = {
        {"plain-http", e->transport == BERTH_TRANSPORT_HTTP ? "true" : NULL},
        {"https", e->transport == BERTH_TRANSPORT_HTTPS ? "true" : NULL},
        {"ca-file", e->ca_file},
        {"auth-file", credentials && *credentials ? credentials : NULL},
        {"chunk-size", e->chunk_size_text},
    };
    size_t n = 0;
    for (size_t i = 0; i < COUNT(all); i++)
        if (all[i].text)
            out[n++] = (struct cli_given){hosts_option(str_from(all[i].name)), all[i].text, i > 1};
    return n;
}

/* "ca.pem" beside the file of settings. */
static int find_path(const struct hosts *h, const char **value, berth_arena *arena, berth_error *err)
{
    const char *slash = h->path ? strrchr(h->path, '/') : NULL;
    if ((*value)[0] == '/' || !(*value)[0] || !slash)
        return BERTH_OK;
    *value = berth_arena_printf(arena, "%.*s/%s", (int)(slash - h->path), h->path, *value);
    return *value ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int find_paths(const struct hosts *h, const struct host_setting *s, berth_arena *arena,
                      const struct host_setting **ret, berth_error *err)
{
    struct host_setting *own = berth_arena_alloc(arena, sizeof(*own));
    const char **values = berth_arena_alloc(arena, s->n * sizeof(*values));
    if (!own || !values)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    *own = *s;
    own->values = values;
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < s->n; i++) {
        values[i] = s->values[i];
        if (cli_option_is_path(s->option))
            r = find_path(h, &values[i], arena, err);
    }
    *ret = own;
    return r;
}

int hosts_choose(const struct hosts *h, const char *host, const struct cli_given *given, size_t n_given,
                 berth_arena *arena, const struct host_choice **ret, size_t *ret_n, berth_error *err)
{
    const struct hosts_entry *const entries[] = {hosts_find(h, host), hosts_find(h, HOSTS_DEFAULT)};
    size_t most = 0, n = 0;
    for (size_t i = 0; i < COUNT(entries); i++)
        most += entries[i] ? entries[i]->n : 0;
    struct cli_given *before = berth_arena_alloc(arena, (n_given + most + 1) * sizeof(*before));
    struct host_choice *chosen = berth_arena_alloc(arena, (most + 1) * sizeof(*chosen));
    if (!before || !chosen)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (n_given)
        memcpy(before, given, n_given * sizeof(*before));
    for (size_t i = 0; i < COUNT(entries); i++) {
        const struct hosts_entry *entry = entries[i];
        size_t n_before = n_given + n; /* those of one entry are equals */
        for (size_t k = 0; entry && (i == 0 || entry != entries[0]) && k < entry->n; k++) {
            const struct host_setting *s = &entry->settings[k];
            if (!is_free(s->option, s->values[0], before, n_before))
                continue;
            int r = find_paths(h, s, arena, &chosen[n].setting, err);
            if (r != BERTH_OK)
                return r;
            chosen[n].from = entry;
            before[n_given + n++] = (struct cli_given){.option = s->option, .text = s->values[0]};
        }
    }
    *ret = chosen;
    *ret_n = n;
    return BERTH_OK;
}

/* A variable may say it otherwise: that the host is spoken to so is known all the same. */
static bool is_overruled(const struct host_setting *s, const struct environment *e,
                         const struct cli_given *variables, size_t n)
{
    for (size_t i = 0; i < n && e->transport != BERTH_TRANSPORT_HTTP; i++)
        if (variables[i].alone && variables[i].option == s->option)
            return true;
    return false;
}

int hosts_apply(const struct hosts *h, const char *host, const struct environment *e, struct cli_base *b,
                berth_error *err)
{
    const struct hosts_entry *own = hosts_find(h, host);
    const struct host_choice *chosen = NULL;
    struct cli_given variables[HOSTS_VARIABLES];
    size_t n = 0, n_variables = hosts_environment(e, variables);
    size_t most = b->n_given + n_variables + (own ? own->n : 0);
    struct cli_given *given = berth_arena_alloc(&b->arena, (most + 1) * sizeof(*given));
    if (!given)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    if (b->n_given)
        memcpy(given, b->given, b->n_given * sizeof(*given));
    memcpy(given + b->n_given, variables, n_variables * sizeof(*given));
    int r = hosts_choose(h, host, given, b->n_given + n_variables, &b->arena, &chosen, &n, err);
    size_t told = b->n_given; /* what is meant for this host counts as given */
    for (size_t i = 0; r == BERTH_OK && i < n; i++) {
        const struct host_setting *s = chosen[i].setting;
        for (size_t k = 0; r == BERTH_OK && k < s->n; k++)
            r = cli_option_set(s->option, s->values[k], b, err);
        if (chosen[i].from == own)
            given[told++] = (struct cli_given){.option = s->option, .text = s->values[0]};
    }
    for (size_t i = 0; own && i < own->n; i++)
        if (is_overruled(&own->settings[i], e, variables, n_variables))
            given[told++] =
                (struct cli_given){.option = own->settings[i].option, .text = own->settings[i].values[0]};
    b->given = given;
    b->n_given = told;
    return r;
}
