/* daemon/config.c - a configuration from its four sources, each over the one before: defaults, file,
 * environment, flags. What a setting is stands in config_table.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "daemon/config_private.h"
#include "util/io.h"

struct loading {
    struct config *c;
    const char *file; /* what messages call the file; NULL: none */
    struct config_scan scan;
    struct config_listen tls; /* for listeners that are not the file's */
    berth_buf *mistakes;      /* each is noted here, and reading goes on; NULL: the first one ends it */
    size_t n_mistakes;
    enum source { DEFAULT, FROM_FILE, ENVIRONMENT, FLAG } * sources; /* one per setting */
};

static void loading_done(struct loading *l)
{
    config_scan_done(&l->scan);
    mem_free(l->tls.certificate);
    mem_free(l->tls.key);
    mem_free(l->tls.client_ca);
    mem_free(l->tls.tls_minimum);
    mem_free(l->tls.tls_ciphers);
    mem_free(l->sources);
    config_free(l->c);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < config_settings_count; i++)
        config_clear(c, &config_settings[i]);
    mem_free(c);
}

/* --- saying where an error stands --- */

/* Puts the place of @path before the message: "berth.yaml:12:5: http.headers[2]: ". */
static int in_file(const struct loading *l, const char *path, berth_error *err)
{
    const struct config_place *p = config_scan_find(&l->scan, str_from(path));
    return p ? berth_error_prefix(err, "%s:%zu:%zu: %s", l->file, p->line, p->column, path)
             : berth_error_prefix(err, "%s: %s", l->file, path);
}

/* The same for a setting, wherever it came from. */
static int at_source(const struct loading *l, const struct config_setting *s, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(KIB);
    switch (l->sources[s - config_settings]) {
    case FROM_FILE:
        return in_file(l, s->key, err);
    case ENVIRONMENT:
        config_add_variable(s, &name);
        break;
    case FLAG:
        config_add_flag(s, &name);
        break;
    case DEFAULT:
        break;
    }
    const char *text = berth_buf_cstr(&name);
    return berth_error_prefix(err, "%s", text && *text ? text : s->key);
}

/* After a mistake: whether to go on. */
static int settle(struct loading *l, int r, berth_error *err)
{
    if (r >= 0 || !l->mistakes || r == BERTH_E_NOMEM)
        return r;
    berth_buf_addf(l->mistakes, "%s\n", err->message);
    l->n_mistakes++;
    *err = (berth_error)BERTH_ERROR_INIT;
    return berth_buf_failed(l->mistakes) ? config_nomem(err) : BERTH_OK;
}

/* --- the sources --- */

/* One value or entry from outside the file; @first: it replaces what the sources below gave. */
static int take(struct loading *l, const struct config_setting *s, berth_str text, bool first,
                berth_error *err)
{
    switch (s->type) {
    case CONFIG_TEXT:
    case CONFIG_BOOL:
    case CONFIG_NUMBER:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return config_set(l->c, s, text, err);
    case CONFIG_LIST:
    case CONFIG_RECORDS:
        if (first)
            config_clear(l->c, s);
        return text.n || !first ? config_add(l->c, s, text, err) : BERTH_OK;
    case CONFIG_TLS:
        break;
    }
    const struct config_field file = {.offset = s->offset, .form = s->form, .values = s->values};
    return config_set_field(&file, &l->tls, text, err);
}

/* The entries of a list in one text: between commas; "\," is a comma in an entry. */
static int take_entries(struct loading *l, const struct config_setting *s, berth_str text, berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf entry = BERTH_BUF_INIT(MAX(text.n, CONFIG_TEXT_MAX) + 1);
    bool first = true;
    for (size_t i = 0; i <= text.n; i++) {
        if (i < text.n && text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] == ',')
            berth_buf_putc(&entry, text.p[++i]);
        else if (i < text.n && text.p[i] != ',')
            berth_buf_putc(&entry, text.p[i]);
        else {
            if (berth_buf_failed(&entry))
                return config_nomem(err);
            int r = take(l, s, str_trim(berth_buf_str(&entry)), first, err);
            if (r < 0)
                r = settle(l, at_source(l, s, err), err);
            if (r < 0)
                return r;
            first = false;
            berth_buf_reset(&entry);
        }
    }
    return BERTH_OK;
}

static int load_defaults(struct loading *l, berth_error *err)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        int r = s->fallback ? take(l, s, str_from(s->fallback), true, err) : BERTH_OK;
        if (r < 0)
            return at_source(l, s, err);
    }
    return BERTH_OK;
}

/* Entry @n of a list as cyaml has read it. */
static int take_raw_entry(struct loading *l, const struct config_setting *s, const struct config_raw *raw,
                          unsigned n, berth_error *err)
{
    char path[128];
    if (s->type == CONFIG_LIST) {
        snprintf(path, sizeof(path), "%s[%u]", s->key, n);
        return config_add(l->c, s, str_from(((char **)raw->p)[n]), err) < 0 ? in_file(l, path, err)
                                                                            : BERTH_OK;
    }
    const char *from = (const char *)raw->p + n * s->record_size;
    void *record;
    int r = config_add_record(l->c, s, &record, err);
    snprintf(path, sizeof(path), "%s[%u]", s->key, n);
    for (size_t f = 0; f < s->n_fields && r == BERTH_OK; f++) {
        const struct config_field *field = &s->fields[f];
        r = config_set_field(field, record, str_from(*config_field_at(from, field)), err);
        if (r < 0)
            snprintf(path, sizeof(path), "%s[%u].%s", s->key, n, field->key);
    }
    if (r == BERTH_OK)
        r = config_check_record(s, record, err);
    /* A bare entry has a place of its own, and none for its field. */
    if (r < 0 && !config_scan_find(&l->scan, str_from(path)))
        snprintf(path, sizeof(path), "%s[%u]", s->key, n);
    return r < 0 ? in_file(l, path, err) : BERTH_OK;
}

static void yaml_freep(struct config_yaml **y)
{
    config_yaml_free(*y);
}

/* Whether a key of the file names a setting, a section, or a member of a record. What stands below a key that
 * does not is not asked again. */
static bool key_known(berth_str path)
{
    berth_str list, rest, section, name;
    bool in_list = str_cut(path, '[', &list, &rest);
    const struct config_setting *s = config_setting_find(list);
    if (s && in_list && str_cut(rest, '.', &section, &name)) {
        for (size_t f = 0; f < s->n_fields; f++)
            if (str_eq(str_from(s->fields[f].key), name))
                return true;
        return s->n_fields == 0; /* a mapping, where there can be none */
    }
    if (in_list || (s && config_in_file(s)) || config_is_section(list))
        return true;
    return str_cut(list, '.', &section, &name) && !config_is_section(section);
}

static int check_keys(struct loading *l, berth_error *err)
{
    int r = BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < l->scan.n; i++)
        if (!key_known(l->scan.places[i].path))
            r = settle(l, config_unknown_key(&l->scan, l->file, l->scan.places[i].path, NULL, err), err);
    return r;
}

static int load_file(struct loading *l, berth_str text, berth_error *err)
{
    CLEANUP(yaml_freep) struct config_yaml *yaml = NULL;
    int r = config_scan(text, l->file, &l->scan, err);
    if (r == BERTH_OK && l->mistakes)
        r = check_keys(l, err);
    if (r == BERTH_OK)
        r = config_yaml_read(&l->scan, l->file, l->mistakes != NULL, &yaml, err);
    for (size_t i = 0; i < config_settings_count && r == BERTH_OK; i++) {
        const struct config_setting *s = &config_settings[i];
        const struct config_raw *raw = config_yaml_value(yaml, s);
        bool list = s->type == CONFIG_LIST || s->type == CONFIG_RECORDS;
        if (!config_scan_find(&l->scan, str_from(s->key)))
            continue;
        l->sources[i] = FROM_FILE;
        if (list)
            config_clear(l->c, s);
        for (unsigned n = 0; list && n < raw->n && r == BERTH_OK; n++)
            r = settle(l, take_raw_entry(l, s, raw, n, err), err);
        /* null, and nothing at all, leave the default */
        if (!list && raw->p && *(const char *)raw->p)
            r = config_set(l->c, s, str_from(raw->p), err) < 0 ? settle(l, in_file(l, s->key, err), err)
                                                               : BERTH_OK;
    }
    return r;
}

static int load_environment(struct loading *l, berth_error *err)
{
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        if (s->file_only)
            continue;
        CLEANUP(berth_buf_done) berth_buf name = BERTH_BUF_INIT(KIB);
        config_add_variable(s, &name);
        if (!berth_buf_cstr(&name))
            return config_nomem(err);
        berth_str text = str_from(getenv(berth_buf_cstr(&name)));
        if (!text.n) /* as good as unset */
            continue;
        l->sources[i] = ENVIRONMENT;
        bool many = s->type == CONFIG_LIST || s->type == CONFIG_RECORDS;
        int r = many ? take_entries(l, s, text, err) : take(l, s, text, true, err);
        if (r < 0 && !many)
            r = settle(l, at_source(l, s, err), err);
        if (r < 0)
            return r;
    }
    return BERTH_OK;
}

static int load_flag(struct loading *l, berth_str flag, berth_error *err)
{
    berth_str key, text;
    char shown[CONFIG_SHOWN];
    bool has_value = str_cut(flag, '=', &key, &text);
    const struct config_setting *s = config_setting_find(key);
    if (!s)
        return berth_error_set(err, BERTH_E_INVALID, "unknown setting '%s'", config_show(key, shown));
    if (s->file_only)
        return berth_error_set(err, BERTH_E_INVALID, "%s can be set in the file only", s->key);
    enum source *source = &l->sources[s - config_settings];
    bool first = *source != FLAG;
    *source = FLAG;
    if (!has_value && s->type == CONFIG_BOOL)
        text = STR("true");
    else if (!has_value) {
        berth_error_set(err, BERTH_E_INVALID, "a value is wanted");
        return at_source(l, s, err);
    }
    return take(l, s, text, first, err) < 0 ? at_source(l, s, err) : BERTH_OK;
}

/* --- what settings owe each other --- */

static int check_listeners(struct loading *l, berth_error *err)
{
    struct config *c = l->c;
    const struct config_setting *listen = config_setting_find(STR("listen"));
    const struct config_setting *given = NULL;
    bool ours = l->sources[listen - config_settings] == FROM_FILE;
    if (!c->listen_count) {
        berth_error_set(err, BERTH_E_INVALID, "no address to listen on");
        return at_source(l, listen, err);
    }
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        if (s->type != CONFIG_TLS || l->sources[i] == DEFAULT)
            continue;
        given = s;
        if (ours) {
            berth_error_set(err, BERTH_E_INVALID,
                            "the listeners are the file's, which has certificates of their own");
            return at_source(l, s, err);
        }
        const struct config_field field = {.offset = s->offset};
        for (unsigned n = 0; n < c->listen_count; n++) {
            int r = config_set_field(&field, &c->listen[n], str_from(*config_field_at(&l->tls, &field)), err);
            if (r < 0)
                return r;
        }
    }
    for (unsigned n = 0; n < c->listen_count; n++) {
        const struct config_listen *at = &c->listen[n];
        const char *lacks = at->certificate && !at->key   ? "a certificate without its key"
                            : at->key && !at->certificate ? "a key without its certificate"
                            : (at->client_ca || at->tls_minimum || at->tls_ciphers) && !at->key
                                ? "TLS settings without a certificate"
                                : NULL;
        if (!lacks)
            continue;
        char path[32];
        snprintf(path, sizeof(path), "listen[%u]", n);
        berth_error_set(err, BERTH_E_INVALID, "%s", lacks);
        int r = settle(l, ours ? in_file(l, path, err) : at_source(l, given ? given : listen, err), err);
        if (r < 0 || !ours) /* those of flags and environment lack the same */
            return r;
    }
    return BERTH_OK;
}

static int check_registry(struct loading *l, berth_error *err)
{
    const struct config_registry *g = &l->c->registry;
    enum { WARNINGS_MAX = 4096 }; /* bytes: distribution-spec, "Warnings" */
    if (strcmp(g->sparse, "platforms") == 0 && !g->sparse_platforms_count) {
        berth_error_set(err, BERTH_E_INVALID, "'platforms' needs registry.sparse_platforms to name some");
        return at_source(l, config_setting_find(STR("registry.sparse")), err);
    }
    size_t total = 0;
    for (unsigned n = 0; n < g->warnings_count; n++)
        total += strlen(g->warnings[n].text);
    if (total > WARNINGS_MAX) {
        berth_error_set(err, BERTH_E_INVALID, "the texts are %zu bytes together; at most %d", total,
                        WARNINGS_MAX);
        return at_source(l, config_setting_find(STR("registry.warnings")), err);
    }
    return BERTH_OK;
}

/* The setting that gives a listener not of the file's its @field. */
static const struct config_setting *tls_setting(const struct config_field *field)
{
    for (size_t i = 0; i < config_settings_count; i++)
        if (config_settings[i].type == CONFIG_TLS && config_settings[i].offset == field->offset)
            return &config_settings[i];
    return config_setting_find(STR("listen"));
}

/* Files that listeners name. The server says the same when it opens them; here it is said before. */
static int check_files(struct loading *l, berth_error *err)
{
    const struct config_setting *listen = config_setting_find(STR("listen"));
    bool ours = l->sources[listen - config_settings] == FROM_FILE;
    for (unsigned n = 0; n < (ours ? l->c->listen_count : 1); n++)
        for (size_t f = 0; f < listen->n_fields; f++) {
            const struct config_field *field = &listen->fields[f];
            const char *name = *config_field_at(&l->c->listen[n], field);
            if (!name || !field->file)
                continue;
            CLEANUP(closep) int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
            char byte, path[64];
            if (fd >= 0 && read(fd, &byte, 1) >= 0)
                continue;
            berth_error_set(err, BERTH_E_INVALID, "'%s' can't be read: %s", name, strerror(errno));
            snprintf(path, sizeof(path), "listen[%u].%s", n, field->key);
            int r = settle(l, ours ? in_file(l, path, err) : at_source(l, tls_setting(field), err), err);
            if (r < 0)
                return r;
        }
    return BERTH_OK;
}

static int load(struct loading *l, berth_str text, const char *const *flags, size_t n_flags, berth_error *err)
{
    l->c = config_alloc(sizeof(*l->c));
    l->sources = config_alloc(config_settings_count * sizeof(*l->sources));
    if (!l->c || !l->sources)
        return config_nomem(err);
    int r = load_defaults(l, err);
    if (r == BERTH_OK && l->file)
        r = settle(l, load_file(l, text, err), err);
    if (r == BERTH_OK)
        r = load_environment(l, err);
    for (size_t i = 0; i < n_flags && r == BERTH_OK; i++)
        r = settle(l, load_flag(l, str_from(flags[i]), err), err);
    if (r != BERTH_OK || l->n_mistakes) /* what was refused is not there to be compared */
        return r;
    r = settle(l, check_listeners(l, err), err);
    return r == BERTH_OK ? settle(l, check_registry(l, err), err) : r;
}

int config_load_text(berth_str text, const char *file, const char *const *flags, size_t n_flags,
                     struct config **ret_c, berth_error *err)
{
    berth_error unheard;
    err = err ? err : &unheard; /* messages are built up on the way */
    CLEANUP(loading_done) struct loading l = {.file = file};
    int r = load(&l, text, flags, n_flags, err);
    if (r == BERTH_OK)
        *ret_c = steal(&l.c);
    return r;
}

int config_check_text(berth_str text, const char *file, const char *const *flags, size_t n_flags,
                      berth_buf *out, size_t *ret_n, berth_error *err)
{
    CLEANUP(loading_done) struct loading l = {.file = file, .mistakes = out};
    int r = load(&l, text, flags, n_flags, err);
    if (r == BERTH_OK && !l.n_mistakes)
        r = check_files(&l, err);
    *ret_n = l.n_mistakes;
    return r;
}

/* @path in messages, where the line after it must not be cut off. */
static const char *shown_name(const char *path)
{
    enum { NAME_MAX_SHOWN = 80 };
    const char *name = path;
    if (path && strlen(path) > NAME_MAX_SHOWN) {
        const char *slash = strrchr(path, '/');
        name = slash ? slash + 1 : path;
        name += strlen(name) > NAME_MAX_SHOWN ? strlen(name) - NAME_MAX_SHOWN : 0;
    }
    return name;
}

int config_load(const char *path, const char *const *flags, size_t n_flags, struct config **ret_c,
                berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(CONFIG_FILE_MAX);
    int r = path ? io_read_file(path, &text, err) : BERTH_OK;
    return r < 0 ? r : config_load_text(berth_buf_str(&text), shown_name(path), flags, n_flags, ret_c, err);
}

int config_check(const char *path, const char *const *flags, size_t n_flags, berth_buf *out, size_t *ret_n,
                 berth_error *err)
{
    CLEANUP(berth_buf_done) berth_buf text = BERTH_BUF_INIT(CONFIG_FILE_MAX);
    int r = path ? io_read_file(path, &text, err) : BERTH_OK;
    return r < 0 ? r
                 : config_check_text(berth_buf_str(&text), shown_name(path), flags, n_flags, out, ret_n, err);
}

void config_unknown_variables(void (*tell)(void *arg, const char *name, const char *nearest), void *arg)
{
    for (char **at = environ; at && *at; at++) {
        berth_str name, value;
        str_cut(str_from(*at), '=', &name, &value);
        CLEANUP(berth_buf_done) berth_buf copy = BERTH_BUF_INIT(CONFIG_TEXT_MAX), near = BERTH_BUF_INIT(KIB);
        if (!str_starts(name, STR("BERTH_")) || str_eq(name, STR("BERTH_CONFIG")) ||
            config_nearest_variable(name, &near))
            continue;
        berth_buf_add_str(&copy, name);
        const char *text = berth_buf_cstr(&copy), *nearest = berth_buf_cstr(&near);
        if (text && nearest)
            tell(arg, text, nearest);
    }
}

void config_diff(const struct config *a, const struct config *b, berth_buf *out)
{
    const char *comma = "";
    for (size_t i = 0; i < config_settings_count; i++) {
        if (config_equal(a, b, &config_settings[i]))
            continue;
        berth_buf_addf(out, "%s%s", comma, config_settings[i].key);
        comma = ",";
    }
}

bool config_key_reloads(berth_str key)
{
    const struct config_setting *s = config_setting_find(key);
    return s && s->reloads;
}

bool config_flag_key(berth_str flag, berth_buf *ret_key, bool *ret_bool)
{
    berth_str name, value;
    str_cut(flag, '=', &name, &value);
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
        config_add_flag(s, &b);
        if (s->file_only || !str_eq(berth_buf_str(&b), name))
            continue;
        berth_buf_add_str(ret_key, str_from(s->key));
        *ret_bool = s->type == CONFIG_BOOL;
        return true;
    }
    return false;
}
