/* daemon/config_yaml.c - cyaml reads the file by a schema that is made from the table of settings.
 *
 * Every scalar is taken as text; what the text means is config_value.c's, as for flags and environment. cyaml
 * decides what is a key, a list, a mapping. It tells what is wrong by log lines, from which one sentence is
 * made; the place is looked up in what config_scan.c noted, as cyaml gives that of the event before a wrong
 * key. */
#include <cyaml/cyaml.h>
#include <stdio.h>

#include "daemon/config_private.h"
#include "util/fault.h"

struct config_yaml {
    cyaml_config_t cyaml;
    cyaml_schema_value_t top;
    cyaml_schema_field_t
        *fields; /* top level first, then each section, each list ended by a field without key */
    cyaml_schema_value_t *entries; /* what the lists hold, one per setting */
    cyaml_schema_field_t *records; /* fields of records */
    struct config_raw *values;     /* one per setting, filled by cyaml */
};

/* What cyaml says while it gives up: the reason, then where, from the inside out. */
struct complaint {
    char reason[160];
    char path[256];
    size_t line, column; /* of the innermost place */
};

static void *memory(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (!n) {
        mem_free(p);
        return NULL;
    }
    return fault_hit() ? NULL : mem_realloc(p, n);
}

/* Puts one more step, "key" or "[2]", before the path so far. */
static void prepend(struct complaint *c, berth_str step)
{
    char all[sizeof(c->path)];
    const char *dot = c->path[0] && c->path[0] != '[' ? "." : "";
    int n = snprintf(all, sizeof(all), STR_FMT "%s%s", STR_ARG(step), dot, c->path);
    if (n > 0 && (size_t)n < sizeof(all))
        memcpy(c->path, all, (size_t)n + 1);
}

/* The number after @label in "(line: 2, column: 11)", or @otherwise. */
static size_t number_after(const char *line, const char *label, size_t otherwise)
{
    const char *at = strstr(line, label);
    uint64_t n = 0;
    if (at) {
        at += strlen(label);
        str_to_u64((berth_str){at, strspn(at, "0123456789")}, &n);
    }
    return n ? (size_t)n : otherwise;
}

static void listen_to(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void listen_to(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    struct complaint *c = ctx;
    char line[256];
    (void)level;
    vsnprintf(line, sizeof(line), fmt, args);
    berth_str s = str_from(line), head, rest;
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (str_starts(s, STR("Load: "))) {
        if (!c->reason[0])
            snprintf(c->reason, sizeof(c->reason), STR_FMT, STR_ARG(str_from_offset(s, 6)));
        return;
    }
    if (!c->line) {
        c->line = number_after(line, "line: ", 0);
        c->column = number_after(line, "column: ", 1);
    }
    if (!str_cut(s, '\'', &head, &rest) || !str_cut(rest, '\'', &head, &rest))
        return; /* "in mapping", which the path does not need */
    uint64_t entry;
    char step[24];
    if (str_starts(s, STR("  in sequence entry")) && str_to_u64(head, &entry) && entry) {
        snprintf(step, sizeof(step), "[%llu]", (unsigned long long)entry - 1);
        head = str_from(step);
    }
    prepend(c, head);
}

/* "SEQUENCE_START" and "SEQUENCE" are a list, and so on. */
static const char *kind(berth_str event)
{
    return str_starts(event, STR("SEQUENCE"))  ? "a list"
           : str_starts(event, STR("MAPPING")) ? "a mapping (key: value)"
                                               : "a single value";
}

int config_unknown_key(const struct config_scan *scan, const char *file, berth_str path,
                       const struct config_place *otherwise, berth_error *err)
{
    size_t dot = path.n;
    while (dot && path.p[dot - 1] != '.')
        dot--;
    berth_str parent = str_head(path, dot ? dot - 1 : 0), key = str_from_offset(path, dot);
    const struct config_place *p = config_scan_find(scan, path);
    if (!p)
        p = otherwise;
    berth_str near = config_nearest(path);
    return berth_error_set(err, BERTH_E_INVALID,
                           "%s:%zu:%zu: unknown key '" STR_FMT "'%s" STR_FMT "%s" STR_FMT "%s", file,
                           p->key_line, p->key_column, STR_ARG(key), parent.n ? " in " : "", STR_ARG(parent),
                           near.n ? " (did you mean '" : "", STR_ARG(near), near.n ? "'?)" : "");
}

static int explain(const struct complaint *c, cyaml_err_t code, const struct config_scan *scan,
                   const char *file, berth_error *err)
{
    static const char unknown[] = "Unexpected key: ", expecting[] = "Expecting ", got[] = ", got event: ";
    if (code == CYAML_ERR_OOM)
        return config_nomem(err);
    berth_str reason = str_from(c->reason);
    if (str_starts(reason, str_from(unknown))) {
        const char *key = c->reason + sizeof(unknown) - 1;
        char path[sizeof(c->path) + sizeof(c->reason)];
        snprintf(path, sizeof(path), "%s%s%s", c->path, c->path[0] ? "." : "", key);
        const struct config_place at = {.key_line = c->line, .key_column = c->column};
        return config_unknown_key(scan, file, str_from(path), &at, err);
    }
    char sentence[sizeof(err->message)];
    const char *want_end = strstr(c->reason, got);
    if (code == CYAML_ERR_STRING_LENGTH_MAX)
        snprintf(sentence, sizeof(sentence), "longer than %zu bytes", CONFIG_TEXT_MAX);
    else if (code == CYAML_ERR_SEQUENCE_ENTRIES_MAX)
        snprintf(sentence, sizeof(sentence), "more than %u entries", CONFIG_ENTRIES_MAX);
    else if (str_starts(reason, str_from(expecting)) && want_end)
        snprintf(sentence, sizeof(sentence), "%s is wanted, not %s",
                 kind(str_from_offset(reason, sizeof(expecting) - 1)),
                 kind(str_from(want_end + sizeof(got) - 1)));
    else
        snprintf(sentence, sizeof(sentence), "%s", c->reason[0] ? c->reason : cyaml_strerror(code));
    const struct config_place *p = config_scan_find(scan, str_from(c->path));
    return berth_error_set(err, BERTH_E_INVALID, "%s:%zu:%zu: %s%s%s", file, p ? p->line : c->line,
                           p ? p->column : c->column, c->path, c->path[0] ? ": " : "", sentence);
}

/* --- the schema --- */

static const cyaml_schema_value_t any_text = {
    .type = CYAML_STRING,
    .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
    .data_size = sizeof(char),
    .string = {.min = 0, .max = CONFIG_TEXT_MAX},
};

static void describe(struct config_yaml *y, size_t i, cyaml_schema_field_t **record,
                     cyaml_schema_field_t *field)
{
    const struct config_setting *s = &config_settings[i];
    size_t at = i * sizeof(struct config_raw);
    *field = (cyaml_schema_field_t){.key = config_name(s).p,
                                    .data_offset = (uint32_t)(at + offsetof(struct config_raw, p)),
                                    .value = any_text};
    if (s->type != CONFIG_LIST && s->type != CONFIG_RECORDS)
        return;
    y->entries[i] = any_text;
    y->entries[i].flags = CYAML_FLAG_POINTER;
    if (s->type == CONFIG_RECORDS) {
        y->entries[i] = (cyaml_schema_value_t){
            .type = CYAML_MAPPING, .data_size = (uint32_t)s->record_size, .mapping = {.fields = *record}};
        for (size_t f = 0; f < s->n_fields; f++)
            *(*record)++ = (cyaml_schema_field_t){
                .key = s->fields[f].key, .data_offset = (uint32_t)s->fields[f].offset, .value = any_text};
        (*record)++; /* no key: the end */
    }
    field->count_offset = (uint32_t)(at + offsetof(struct config_raw, n));
    field->count_size = sizeof(unsigned);
    field->value = (cyaml_schema_value_t){
        .type = CYAML_SEQUENCE,
        .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
        .data_size = (uint32_t)(s->type == CONFIG_RECORDS ? s->record_size : sizeof(char *)),
        .sequence = {.entry = &y->entries[i], .min = 0, .max = CONFIG_ENTRIES_MAX}};
}

static int make_schema(struct config_yaml *y, berth_error *err)
{
    size_t n_records = 0;
    for (size_t i = 0; i < config_settings_count; i++)
        n_records += config_settings[i].n_fields + 1;
    y->entries = config_alloc(config_settings_count * sizeof(*y->entries));
    y->records = config_alloc(n_records * sizeof(*y->records));
    /* Each setting, and beside it at most one section to hold it and one end. */
    y->fields = config_alloc((3 * config_settings_count + 1) * sizeof(*y->fields));
    if (!y->entries || !y->records || !y->fields)
        return config_nomem(err);

    const cyaml_schema_value_t section = {.type = CYAML_MAPPING,
                                          .flags = CYAML_FLAG_OPTIONAL,
                                          .data_size =
                                              (uint32_t)(config_settings_count * sizeof(struct config_raw))};
    y->top = section;
    y->top.flags = CYAML_FLAG_POINTER;
    y->top.mapping.fields = y->fields;
    size_t n_top = 0;
    for (size_t i = 0; i < config_settings_count; i++)
        if (config_in_file(&config_settings[i]))
            n_top += !i || !config_section(&config_settings[i]).n ||
                     !str_eq(config_section(&config_settings[i]), config_section(&config_settings[i - 1]));
    cyaml_schema_field_t *record = y->records, *top = y->fields, *next = y->fields + n_top + 1;
    berth_str open = STR_NULL;
    for (size_t i = 0; i < config_settings_count; i++) {
        const struct config_setting *s = &config_settings[i];
        berth_str name = config_section(s);
        if (!config_in_file(s))
            continue;
        if (!name.n) {
            describe(y, i, &record, top++);
            continue;
        }
        if (!str_eq(name, open)) {
            next += open.n != 0; /* past the end of the section before */
            char *key = config_dup(name);
            if (!key)
                return config_nomem(err);
            *top++ = (cyaml_schema_field_t){.key = key, .value = section};
            top[-1].value.mapping.fields = next;
            open = name;
        }
        describe(y, i, &record, next++);
    }
    return BERTH_OK;
}

int config_yaml_read(const struct config_scan *scan, const char *file, bool only_known,
                     struct config_yaml **ret, berth_error *err)
{
    struct config_yaml *y = config_alloc(sizeof(*y));
    if (!y)
        return config_nomem(err);
    struct complaint complaint = {0};
    y->cyaml =
        (cyaml_config_t){.log_fn = listen_to,
                         .log_ctx = &complaint,
                         .mem_fn = memory,
                         .log_level = CYAML_LOG_ERROR,
                         .flags = CYAML_CFG_NO_ALIAS | (only_known ? CYAML_CFG_IGNORE_UNKNOWN_KEYS : 0)};
    int r = make_schema(y, err);
    if (r == BERTH_OK && !scan->empty) {
        void *values = NULL;
        cyaml_err_t code =
            cyaml_load_data((const uint8_t *)scan->text.p, scan->text.n, &y->cyaml, &y->top, &values, NULL);
        y->values = values;
        if (code != CYAML_OK)
            r = explain(&complaint, code, scan, file, err);
    }
    y->cyaml.log_ctx = NULL;
    y->cyaml.log_fn = NULL;
    if (r < 0) {
        config_yaml_free(y);
        return r;
    }
    *ret = y;
    return BERTH_OK;
}

void config_yaml_free(struct config_yaml *y)
{
    if (!y)
        return;
    if (y->values)
        cyaml_free(&y->cyaml, &y->top, y->values, 0);
    for (size_t i = 0; y->fields && y->fields[i].key; i++)
        if (y->fields[i].value.type == CYAML_MAPPING)
            mem_free((void *)(uintptr_t)y->fields[i].key);
    mem_free(y->fields);
    mem_free(y->entries);
    mem_free(y->records);
    mem_free(y);
}

const struct config_raw *config_yaml_value(const struct config_yaml *y, const struct config_setting *s)
{
    static const struct config_raw absent = {0};
    return y->values ? &y->values[s - config_settings] : &absent;
}
