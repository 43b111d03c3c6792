/* daemon/config_private.h - what the config*.c files share: the table of settings and the steps of loading.
 *
 * The table (config_table.c) is the one place that knows which settings exist. Every source of values hands
 * texts to config_set() and config_add(): a value means, and is refused as, the same wherever it comes from.
 */
#ifndef DAEMON_CONFIG_PRIVATE_H
#define DAEMON_CONFIG_PRIVATE_H

#include "daemon/config.h"
#include "util/arena.h"

#define CONFIG_FILE_MAX    MIB            /* bytes of a file */
#define CONFIG_TEXT_MAX    ((size_t)8192) /* bytes of one value */
#define CONFIG_ENTRIES_MAX 1024u          /* of one list */

enum config_type {
    CONFIG_TEXT,     /* char * */
    CONFIG_BOOL,     /* bool */
    CONFIG_NUMBER,   /* uint32_t */
    CONFIG_DURATION, /* uint64_t, milliseconds */
    CONFIG_SIZE,     /* uint64_t, bytes */
    CONFIG_LIST,     /* char ** and a count */
    CONFIG_RECORDS,  /* an array of structs of char *, and a count */
    CONFIG_TLS,      /* char * in struct config_listen, for the listeners that flags or environment name */
};

/* What a text must look like. */
struct config_form {
    const char *name; /* "a duration": "'x' is not a duration (try 10m)" */
    const char *example;
    bool (*fits)(berth_str s);
};

/* One member of a record. */
struct config_field {
    const char *key;
    size_t offset;
    bool required;
    const struct config_form *form; /* NULL: any text */
    const char *const *values;      /* NULL: not enumerated */
    const char *about;
    bool file; /* the name of one, which must be readable */
};

struct config_setting {
    const char *key; /* "http.prefix" */
    enum config_type type;
    size_t offset, count_offset; /* in struct config; TLS: in struct config_listen */
    const char *fallback;        /* as an environment variable would say it; NULL: none */
    const char *unit;            /* stands for the value in --help: "PATH" */
    const char *about;           /* one line */
    bool reloads;
    bool file_only;                    /* neither variable nor flag */
    const char *const *values;         /* NULL, or every text allowed */
    uint64_t least, most;              /* NUMBER, DURATION, SIZE */
    const struct config_form *form;    /* TEXT, TLS, and each entry of a LIST */
    const struct config_field *fields; /* RECORDS; the one at [bare] may stand for a record of itself */
    size_t n_fields, record_size, bare;
};

extern const struct config_setting config_settings[];
extern const size_t config_settings_count; /* a section's settings stand together */

const struct config_setting *config_setting_find(berth_str key);
/* "http" of "http.prefix"; empty for a setting of the top level. */
berth_str config_section(const struct config_setting *s);
berth_str config_name(const struct config_setting *s); /* "prefix" of "http.prefix" */
bool config_in_file(const struct config_setting *s);
bool config_is_section(berth_str name);
void config_add_flag(const struct config_setting *s, berth_buf *out);     /* "--http-prefix" */
void config_add_variable(const struct config_setting *s, berth_buf *out); /* "BERTH_HTTP_PREFIX" */
/* The key nearest to the unknown @path ("http.prefex", "listen[0].adress"), without what stands before the
 * last dot; empty when none is near. */
berth_str config_nearest(berth_str path);
/* True: @name is the variable of a setting. Otherwise @out is the nearest that is one, or stays empty. */
bool config_nearest_variable(berth_str name, berth_buf *out);

extern const struct config_form config_form_address, config_form_header, config_form_prefix, config_form_mode,
    config_form_proxy, config_form_ciphers, config_form_media_type, config_form_platform, config_form_window,
    config_form_url, config_form_duration, config_form_size, config_form_number, config_form_bool,
    config_form_filled;

/* UTF-8 without control characters and other code points that YAML cannot hold. */
bool config_text_clean(berth_str s);

#define CONFIG_SHOWN 56
/* @s for an error message: cut, nothing in it that could act on a terminal. Returns @out. */
const char *config_show(berth_str s, char out[CONFIG_SHOWN]);

/* --- values (config_value.c). Errors say what is wrong with the value; the caller says where it stands. ---
 */
void *config_alloc(size_t n);  /* zeroed; NULL without memory */
char *config_dup(berth_str s); /* NULL without memory */
int config_set(struct config *c, const struct config_setting *s, berth_str text,
               berth_error *err); /* not lists */
int config_set_field(const struct config_field *f, void *record, berth_str text, berth_error *err);
/* One more entry: of a LIST, or a record that its bare text stands for. */
int config_add(struct config *c, const struct config_setting *s, berth_str text, berth_error *err);
/* One more record, empty. */
int config_add_record(struct config *c, const struct config_setting *s, void **ret_record, berth_error *err);
/* What a record still lacks. */
int config_check_record(const struct config_setting *s, const void *record, berth_error *err);
void config_clear(struct config *c, const struct config_setting *s);
bool config_equal(const struct config *a, const struct config *b, const struct config_setting *s);
unsigned config_count(const struct config *c, const struct config_setting *s); /* LIST, RECORDS */
const void *config_entry(const struct config *c, const struct config_setting *s,
                         size_t i); /* char **, or a record */
/* The value as a person writes it: "30s", "4MiB", "true". Not for lists. */
void config_add_value(const struct config *c, const struct config_setting *s, berth_buf *out);
void config_add_duration(uint64_t ms, berth_buf *out);
void config_add_size(uint64_t bytes, berth_buf *out);
int config_nomem(berth_error *err);

static inline void *config_at(const struct config *c, size_t offset)
{
    return (char *)(uintptr_t)c + offset;
}

static inline char **config_field_at(const void *record, const struct config_field *f)
{
    return (char **)(void *)((char *)(uintptr_t)record + f->offset);
}

/* --- the file, first pass (config_scan.c): libyaml's events, for what cyaml does not tell --- */
struct config_place {
    berth_str path;              /* "http.headers[2]" */
    size_t key_line, key_column; /* from 1; of an entry's value when it has no key */
    size_t line, column;         /* of the value */
};
struct config_scan {
    berth_arena arena;
    struct config_place *places;
    size_t n, cap;
    berth_buf text; /* what cyaml reads: the file, line by line, in its plainest form */
    bool empty;     /* nothing but comments */
};
/* @file is what messages call the file. Free @ret by config_scan_done(), also after a failure. */
int config_scan(berth_str text, const char *file, struct config_scan *ret, berth_error *err);
void config_scan_done(struct config_scan *s);
const struct config_place *config_scan_find(const struct config_scan *s,
                                            berth_str path); /* NULL: not in the file */

/* --- the file, second pass (config_yaml.c): cyaml, with a schema made from the table --- */
struct config_raw {
    void *p; /* char *, char ** or records, as the setting has it; NULL: not in the file */
    unsigned n;
};
struct config_yaml;
/* @only_known: passes over unknown keys. */
int config_yaml_read(const struct config_scan *scan, const char *file, bool only_known,
                     struct config_yaml **ret, berth_error *err);
/* That there is no setting @path; @otherwise is where the key stands if @scan does not know it. */
int config_unknown_key(const struct config_scan *scan, const char *file, berth_str path,
                       const struct config_place *otherwise, berth_error *err);
void config_yaml_free(struct config_yaml *y); /* NULL is fine */
const struct config_raw *config_yaml_value(const struct config_yaml *y, const struct config_setting *s);

/* --- printing --- */
/* config_load() of a text that is called @file in messages. */
int config_load_text(berth_str text, const char *file, const char *const *flags, size_t n_flags,
                     struct config **ret_c, berth_error *err);
int config_check_text(berth_str text, const char *file, const char *const *flags, size_t n_flags,
                      berth_buf *out, size_t *ret_n, berth_error *err);

#endif
