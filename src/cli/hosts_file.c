/* cli/hosts_file.c - the text of the file of settings by host (hosts.h), by libyaml's events: they tell where
 * everything stands, and a host may be any key, which libcyaml's schemas can't say. */
#include "cli/hosts.h"

#include <stdio.h>
#include <yaml.h>

#include "http/uri.h"

#define HOSTS_MAX 4096 /* each new one is compared with all before it */
#define HEAD      "# Settings by registry: see berth-registry(1), which edits this file. Comments are not kept."

struct reader {
    yaml_parser_t parser;
    const char *file;
    struct hosts *h;
    size_t n_hosts;
};

static void event_done(yaml_event_t *e)
{
    yaml_event_delete(e);
}

static int refuse(const struct reader *r, yaml_mark_t at, berth_error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(const struct reader *r, yaml_mark_t at, berth_error *err, const char *fmt, ...)
{
    char why[sizeof(err->message)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    return berth_error_set(err, BERTH_E_INVALID, "%s:%zu:%zu: %s", r->file, at.line + 1, at.column + 1, why);
}

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int next(struct reader *r, yaml_event_t *e, berth_error *err)
{
    const yaml_parser_t *p = &r->parser;
    if (!yaml_parser_parse(&r->parser, e))
        return p->error == YAML_MEMORY_ERROR
                   ? no_memory(err)
                   : refuse(r, p->problem_mark, err, "%s", p->problem ? p->problem : "this is no YAML");
    return e->type == YAML_ALIAS_EVENT ? refuse(r, e->start_mark, err, "an alias may not stand here")
                                       : BERTH_OK;
}

static berth_str scalar(const yaml_event_t *e)
{
    return (berth_str){(const char *)e->data.scalar.value, e->data.scalar.length};
}

static bool is_null(const yaml_event_t *e)
{
    berth_str s = scalar(e);
    return e->type == YAML_SCALAR_EVENT && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!s.n || str_eq(s, STR("~")) || str_eq_nocase(s, STR("null")));
}

static bool is_clean(berth_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}

/* --- a setting --- */

static int unknown(const struct reader *r, const yaml_event_t *e, berth_error *err)
{
    const struct cli_option *o;
    const char *names[64];
    size_t n = 0;
    for (; n < COUNT(names) && (o = hosts_option_at(n)); n++)
        names[n] = o->name;
    berth_str key = scalar(e);
    CLEANUP(freep) char *word = str_dup(key);
    const char *nearest = word && is_clean(key) ? cli_nearest(word, names, n) : NULL;
    if (!is_clean(key))
        return refuse(r, e->start_mark, err, "this is no setting");
    return refuse(r, e->start_mark, err, "'%.60s' is no setting%s%s%s", word ? word : "",
                  nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int add_value(const struct reader *r, struct host_setting *s, const yaml_event_t *e, berth_error *err)
{
    berth_error why = BERTH_ERROR_INIT;
    berth_str value = scalar(e);
    const char *copy = berth_arena_dup(&r->h->arena, value);
    if (!copy)
        return no_memory(err);
    if (is_null(e))
        return refuse(r, e->start_mark, err, "%s has no value", s->option->name);
    if (!is_clean(value))
        return refuse(r, e->start_mark, err, "%s is a line of text without control characters",
                      s->option->name);
    if (cli_option_check(s->option, copy, &why) != BERTH_OK)
        return refuse(r, e->start_mark, err, "%s %s", s->option->name, why.message);
    if ((s->n & (s->n - 1)) == 0) { /* full */
        const char **larger = berth_arena_alloc(&r->h->arena, (s->n ? s->n * 2 : 1) * sizeof(*larger));
        if (!larger)
            return no_memory(err);
        if (s->n)
            memcpy(larger, s->values, s->n * sizeof(*larger));
        s->values = larger;
    }
    s->values[s->n++] = copy;
    return BERTH_OK;
}

static int read_list(struct reader *r, struct host_setting *s, yaml_mark_t at, berth_error *err)
{
    for (;;) {
        CLEANUP(event_done) yaml_event_t e = {0};
        int rc = next(r, &e, err);
        if (rc != BERTH_OK)
            return rc;
        if (e.type == YAML_SEQUENCE_END_EVENT)
            return s->n ? BERTH_OK : refuse(r, at, err, "%s has no value", s->option->name);
        if (e.type != YAML_SCALAR_EVENT)
            return refuse(r, e.start_mark, err, "%s is a list of single values", s->option->name);
        rc = add_value(r, s, &e, err);
        if (rc != BERTH_OK)
            return rc;
    }
}

/* @key is its name. */
static int read_setting(struct reader *r, struct hosts_entry *host, const yaml_event_t *key, berth_error *err)
{
    CLEANUP(event_done) yaml_event_t e = {0};
    if (key->type != YAML_SCALAR_EVENT || is_null(key))
        return refuse(r, key->start_mark, err, "the name of a setting is wanted");
    struct host_setting s = {.option = hosts_option(scalar(key)),
                             .line = key->start_mark.line + 1,
                             .column = key->start_mark.column + 1};
    if (!s.option)
        return unknown(r, key, err);
    const struct host_setting *other = host_find(host, s.option);
    if (other)
        return refuse(r, key->start_mark, err, "%s stands in line %zu already", s.option->name, other->line);
    int rc = next(r, &e, err);
    if (rc != BERTH_OK)
        return rc;
    if (e.type == YAML_SCALAR_EVENT)
        rc = add_value(r, &s, &e, err);
    else if (e.type == YAML_SEQUENCE_START_EVENT && s.option->kind == CLI_WORDS)
        rc = read_list(r, &s, e.start_mark, err);
    else
        return refuse(r, e.start_mark, err, "%s is %s", s.option->name,
                      s.option->kind == CLI_WORDS ? "a value, or a list of some" : "a single value");
    return rc == BERTH_OK ? hosts_set(r->h, host, &s, err) : rc;
}

/* --- a host --- */

bool hosts_name_valid(berth_str name)
{
    CLEANUP(berth_buf_done) berth_buf url = BERTH_BUF_INIT(4 * KIB);
    http_uri u;
    berth_buf_addf(&url, "https://" STR_FMT, STR_ARG(name));
    return is_clean(name) && !berth_buf_failed(&url) && http_uri_parse(berth_buf_str(&url), &u) &&
           !u.target.n;
}

static int read_settings(struct reader *r, struct hosts_entry *host, berth_error *err)
{
    for (;;) {
        CLEANUP(event_done) yaml_event_t e = {0};
        int rc = next(r, &e, err);
        if (rc == BERTH_OK && e.type == YAML_MAPPING_END_EVENT)
            break;
        if (rc == BERTH_OK)
            rc = read_setting(r, host, &e, err);
        if (rc != BERTH_OK)
            return rc;
    }
    const struct host_setting *one, *other;
    if (!host_contradicts(host, &one, &other))
        return BERTH_OK;
    return berth_error_set(err, BERTH_E_INVALID, "%s:%zu:%zu: %s and %s exclude each other", r->file,
                           other->line, other->column, other->option->name, one->option->name);
}

static int read_host(struct reader *r, const yaml_event_t *key, berth_error *err)
{
    CLEANUP(event_done) yaml_event_t e = {0};
    struct hosts_entry *host = NULL;
    if (key->type != YAML_SCALAR_EVENT || !hosts_name_valid(scalar(key)))
        return refuse(r, key->start_mark, err,
                      "a host is wanted, such as registry.example:5000, or " HOSTS_DEFAULT);
    const char *name = berth_arena_dup(&r->h->arena, scalar(key));
    if (!name)
        return no_memory(err);
    if (hosts_find(r->h, name))
        return refuse(r, key->start_mark, err, "%.100s has an entry already", name);
    if (++r->n_hosts > HOSTS_MAX)
        return refuse(r, key->start_mark, err, "there are more than %d hosts", HOSTS_MAX);
    int rc = hosts_add(r->h, name, &host, err);
    if (rc == BERTH_OK)
        rc = next(r, &e, err);
    if (rc != BERTH_OK || is_null(&e))
        return rc;
    if (e.type != YAML_MAPPING_START_EVENT)
        return refuse(r, e.start_mark, err, "settings are wanted, such as 'timeout: 60'");
    return read_settings(r, host, err);
}

/* The one document, from its first event on. */
static int read_document(struct reader *r, berth_error *err)
{
    CLEANUP(event_done) yaml_event_t e = {0};
    int rc = next(r, &e, err);
    if (rc != BERTH_OK || is_null(&e))
        return rc;
    if (e.type != YAML_MAPPING_START_EVENT)
        return refuse(r, e.start_mark, err, "hosts are wanted, such as 'registry.example:'");
    for (;;) {
        CLEANUP(event_done) yaml_event_t key = {0};
        rc = next(r, &key, err);
        if (rc != BERTH_OK || key.type == YAML_MAPPING_END_EVENT)
            return rc;
        rc = read_host(r, &key, err);
        if (rc != BERTH_OK)
            return rc;
    }
}

static bool has_comments(berth_str text)
{
    berth_str line;
    while (text.n) {
        str_cut(text, '\n', &line, &text);
        line = str_trim(line);
        if (str_eq(line, STR(HEAD)))
            continue;
        if (str_starts(line, STR("#")) || (line.n && memmem(line.p, line.n, " #", 2)))
            return true;
    }
    return false;
}

int hosts_parse(berth_str text, const char *file, struct hosts *h, berth_error *err)
{
    struct reader r = {.file = file, .h = h};
    if (!yaml_parser_initialize(&r.parser))
        return no_memory(err);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text.p, text.n);
    int rc = BERTH_OK;
    for (bool more = true, document = false; rc == BERTH_OK && more;) {
        CLEANUP(event_done) yaml_event_t e = {0};
        rc = next(&r, &e, err);
        more = e.type != YAML_STREAM_END_EVENT;
        if (rc != BERTH_OK || e.type != YAML_DOCUMENT_START_EVENT)
            continue;
        rc = document ? refuse(&r, e.start_mark, err, "a second document may not stand here")
                      : read_document(&r, err);
        document = true;
    }
    yaml_parser_delete(&r.parser);
    h->comments |= has_comments(text);
    return rc;
}

void hosts_done(struct hosts *h)
{
    berth_arena_done(&h->arena);
    *h = (struct hosts){0};
}

/* --- printing --- */

/* Words that mean nothing else in YAML; everything else in double quotes. */
static void print_scalar(berth_str s, berth_buf *out)
{
    bool plain = s.n && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/", s.p[0]);
    for (size_t i = 0; i < s.n && plain; i++)
        plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-", s.p[i]) ||
                (s.p[i] == ':' && i + 1 < s.n);
    if (plain && !str_eq_nocase(s, STR("null")))
        berth_buf_add_str(out, s);
    else
        config_add_quoted(s, out);
}

static void print_setting(const struct host_setting *s, berth_buf *out)
{
    berth_buf_addf(out, "  %s:", s->option->name);
    for (size_t i = 0; i < s->n; i++) {
        berth_buf_add_str(out, s->n > 1 ? STR("\n    - ") : STR(" "));
        print_scalar(str_from(s->values[i]), out);
    }
    berth_buf_putc(out, '\n');
}

void hosts_print(const struct hosts *h, berth_buf *out)
{
    berth_buf_add_str(out, STR(HEAD "\n"));
    for (const struct hosts_entry *host = h->first; host; host = host->next) {
        print_scalar(str_from(host->name), out);
        berth_buf_add_str(out, STR(":\n"));
        for (size_t i = 0; i < host->n; i++)
            print_setting(&host->settings[i], out);
    }
}
