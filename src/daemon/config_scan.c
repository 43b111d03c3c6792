/* daemon/config_scan.c - the first reading of a configuration file, by libyaml's events.
 *
 * It does three things that cyaml cannot: it notes where each value stands, so that what is wrong with a
 * value can be said with its line; it refuses what no honest file holds (aliases, depth, crowds, the same key
 * twice) before anything is built from it; and it writes the file anew, line by line, in the one form that
 * cyaml's schema can express: a bare listener becomes a record, nothing and null become an empty value of
 * their kind. */
#include <stdio.h>
#include <yaml.h>

#include "daemon/config_private.h"
#include "util/fault.h"

enum { DEPTH_MAX = 6, KEYS_MAX = 128, KEY_SIZE_MAX = 64, PLACES_MAX = 10000 };

struct level {
    bool mapping;
    bool wants_key;     /* mapping: the next event is a key */
    berth_str path;     /* of the collection */
    unsigned n;         /* keys or entries so far */
    size_t first_place; /* places of this collection begin here */
    berth_str key_path; /* of the value that comes next */
    yaml_mark_t key_mark;
};

struct scanner {
    struct config_scan *out;
    berth_str in;
    const char *file;
    size_t copied;            /* bytes of @in that are in @out->text */
    size_t at_byte, at_index; /* the byte at which libyaml's character @at_index stands */
    struct level levels[DEPTH_MAX];
    unsigned depth;
    unsigned documents;
};

static int refuse(const struct scanner *s, yaml_mark_t at, berth_error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int refuse(const struct scanner *s, yaml_mark_t at, berth_error *err, const char *fmt, ...)
{
    char reason[sizeof(err->message)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    return berth_error_set(err, BERTH_E_INVALID, "%s:%zu:%zu: %s", s->file, at.line + 1, at.column + 1,
                           reason);
}

/* Marks count characters and only go forward. */
static size_t byte_of(struct scanner *s, yaml_mark_t mark)
{
    while (s->at_index < mark.index && s->at_byte < s->in.n) {
        s->at_byte++;
        while (s->at_byte < s->in.n && ((unsigned char)s->in.p[s->at_byte] & 0xc0) == 0x80)
            s->at_byte++;
        s->at_index++;
    }
    return s->at_byte;
}

/* Puts @p in the place of what stands between the marks. */
static void substitute(struct scanner *s, const yaml_event_t *e, berth_str with)
{
    size_t from = byte_of(s, e->start_mark), to = byte_of(s, e->end_mark);
    berth_buf_add(&s->out->text, s->in.p + s->copied, from - s->copied);
    berth_buf_putc(&s->out->text, ' ');
    berth_buf_add_str(&s->out->text, with);
    s->copied = to;
}

static int note(struct scanner *s, berth_str path, yaml_mark_t key, yaml_mark_t value, berth_error *err)
{
    struct config_scan *out = s->out;
    if (out->n >= PLACES_MAX)
        return refuse(s, value, err, "more than %d values", PLACES_MAX);
    if (out->n == out->cap) {
        size_t cap = MAX(2 * out->cap, (size_t)64);
        struct config_place *p = fault_hit() ? NULL : mem_realloc(out->places, cap * sizeof(*p));
        if (!p)
            return config_nomem(err);
        out->places = p;
        out->cap = cap;
    }
    out->places[out->n++] =
        (struct config_place){path, key.line + 1, key.column + 1, value.line + 1, value.column + 1};
    return BERTH_OK;
}

static int take_key(struct scanner *s, struct level *l, const yaml_event_t *e, berth_error *err)
{
    if (e->type != YAML_SCALAR_EVENT)
        return refuse(s, e->start_mark, err, "a key must be a word, not a list or a mapping");
    berth_str key = {(const char *)e->data.scalar.value, e->data.scalar.length};
    char shown[CONFIG_SHOWN];
    if (key.n > KEY_SIZE_MAX || !config_text_clean(key))
        return refuse(s, e->start_mark, err, "unknown key '%s'", config_show(key, shown));
    if (++l->n > KEYS_MAX)
        return refuse(s, e->start_mark, err, "more than %d keys in one mapping", KEYS_MAX);
    char *path = l->path.n
                     ? berth_arena_printf(&s->out->arena, STR_FMT "." STR_FMT, STR_ARG(l->path), STR_ARG(key))
                     : berth_arena_dup(&s->out->arena, key);
    if (!path)
        return config_nomem(err);
    l->key_path = str_from(path);
    l->key_mark = e->start_mark;
    l->wants_key = false;
    for (size_t i = l->first_place; i < s->out->n; i++)
        if (str_eq(s->out->places[i].path, l->key_path))
            return refuse(s, e->start_mark, err, "the key '%s' is already given in line %zu",
                          config_show(key, shown), s->out->places[i].key_line);
    return BERTH_OK;
}

/* Path and key mark of the value that @e begins. */
static int begin_value(struct scanner *s, const yaml_event_t *e, berth_str *ret_path, berth_error *err)
{
    *ret_path = STR_NULL;
    if (!s->depth)
        return BERTH_OK;
    struct level *l = &s->levels[s->depth - 1];
    yaml_mark_t key = l->key_mark;
    if (l->mapping) {
        *ret_path = l->key_path;
        l->wants_key = true;
    } else {
        char *path = berth_arena_printf(&s->out->arena, STR_FMT "[%u]", STR_ARG(l->path), l->n++);
        if (!path)
            return config_nomem(err);
        *ret_path = str_from(path);
        key = e->start_mark;
    }
    return note(s, *ret_path, key, e->start_mark, err);
}

static bool is_null(const yaml_event_t *e)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    berth_str v = {(const char *)e->data.scalar.value, e->data.scalar.length};
    for (size_t i = 0; e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && i < COUNT(words); i++)
        if (str_eq(v, str_from(words[i])))
            return true;
    return false;
}

static int take_scalar(struct scanner *s, berth_str path, const yaml_event_t *e, berth_error *err)
{
    berth_str value = {(const char *)e->data.scalar.value, e->data.scalar.length};
    if (memchr(value.p, '\0', value.n))
        return refuse(s, e->start_mark, err, STR_FMT ": holds a NUL character", STR_ARG(path));
    const struct config_setting *setting = config_setting_find(path);
    if (!s->depth) {
        if (!is_null(e))
            return refuse(s, e->start_mark, err, "settings are wanted here, as 'key: value'");
        s->out->empty = true;
    } else if (is_null(e) && config_is_section(path)) {
        substitute(s, e, STR("{}"));
    } else if (is_null(e) && setting && (setting->type == CONFIG_LIST || setting->type == CONFIG_RECORDS)) {
        substitute(s, e, STR("[]"));
    } else if (is_null(e)) {
        substitute(s, e, STR("''"));
    } else if (!s->levels[s->depth - 1].mapping && e->start_mark.line == e->end_mark.line) {
        setting = config_setting_find(s->levels[s->depth - 1].path);
        if (setting && setting->type == CONFIG_RECORDS) {
            CLEANUP(berth_buf_done) berth_buf record = BERTH_BUF_INIT(s->out->text.max);
            berth_buf_addf(&record, "{%s: ", setting->fields[setting->bare].key);
            config_add_quoted(value, &record);
            berth_buf_putc(&record, '}');
            if (berth_buf_failed(&record))
                return config_nomem(err);
            substitute(s, e, berth_buf_str(&record));
        }
    }
    return BERTH_OK;
}

static int take(struct scanner *s, const yaml_event_t *e, berth_error *err)
{
    struct level *l = s->depth ? &s->levels[s->depth - 1] : NULL;
    berth_str path;
    int r;
    switch (e->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return BERTH_OK;
    case YAML_DOCUMENT_START_EVENT:
        return s->documents++
                   ? refuse(s, e->start_mark, err, "a second document; one file holds one configuration")
                   : BERTH_OK;
    case YAML_ALIAS_EVENT:
        return refuse(s, e->start_mark, err, "aliases (*name) are not accepted");
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        s->depth--;
        return BERTH_OK;
    case YAML_SCALAR_EVENT:
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        break;
    }
    if (l && l->mapping && l->wants_key)
        return take_key(s, l, e, err);
    r = begin_value(s, e, &path, err);
    if (r < 0 || e->type == YAML_SCALAR_EVENT)
        return r < 0 ? r : take_scalar(s, path, e, err);
    bool mapping = e->type == YAML_MAPPING_START_EVENT;
    if (s->depth == DEPTH_MAX)
        return refuse(s, e->start_mark, err, "nested deeper than any setting");
    if (!s->depth && !mapping)
        return refuse(s, e->start_mark, err, "settings are wanted here, as 'key: value', not a list");
    s->levels[s->depth++] =
        (struct level){.mapping = mapping, .wants_key = mapping, .path = path, .first_place = s->out->n};
    return BERTH_OK;
}

static int syntax(const struct scanner *s, const yaml_parser_t *p, berth_error *err)
{
    if (p->error == YAML_MEMORY_ERROR)
        return config_nomem(err);
    yaml_mark_t at = p->problem_mark;
    const char *problem = p->problem ? p->problem : "not YAML";
    if (p->error != YAML_READER_ERROR)
        return refuse(s, at, err, "%s%s%s", problem, p->context ? ", " : "", p->context ? p->context : "");
    /* The reader knows only an offset in bytes. */
    at = (yaml_mark_t){0};
    for (size_t i = 0; i < MIN(p->problem_offset, s->in.n); i++) {
        at.column = s->in.p[i] == '\n' ? 0 : at.column + 1;
        at.line += s->in.p[i] == '\n';
    }
    return refuse(s, at, err, "%s", problem);
}

static void parser_done(yaml_parser_t *p)
{
    yaml_parser_delete(p);
}

int config_scan(berth_str text, const char *file, struct config_scan *ret, berth_error *err)
{
    *ret = (struct config_scan){.text = BERTH_BUF_INIT(8 * CONFIG_FILE_MAX)};
    if (!text.p)
        text = STR("");
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = str_from_offset(text, 3);
    struct scanner s = {.out = ret, .in = text, .file = file};
    CLEANUP(parser_done) yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return config_nomem(err);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    for (bool more = true; more;) {
        CLEANUP(yaml_event_delete) yaml_event_t e = {0};
        if (!yaml_parser_parse(&parser, &e))
            return syntax(&s, &parser, err);
        int r = take(&s, &e, err);
        if (r < 0)
            return r;
        more = e.type != YAML_STREAM_END_EVENT;
    }
    if (!s.documents)
        ret->empty = true;
    berth_buf_add(&ret->text, text.p + s.copied, text.n - s.copied);
    return berth_buf_failed(&ret->text) ? config_nomem(err) : BERTH_OK;
}

void config_scan_done(struct config_scan *s)
{
    berth_arena_done(&s->arena);
    mem_free(s->places);
    berth_buf_done(&s->text);
    *s = (struct config_scan){0};
}

const struct config_place *config_scan_find(const struct config_scan *s, berth_str path)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->places[i].path, path))
            return &s->places[i];
    return NULL;
}
