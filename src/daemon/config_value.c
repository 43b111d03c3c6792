/* daemon/config_value.c - values from texts, and texts from values. */
#include <stdio.h>

#include "daemon/config_private.h"
#include "util/fault.h"

void *config_alloc(size_t n)
{
    return fault_hit() ? NULL : mem_zalloc(1, n);
}

char *config_dup(berth_str s)
{
    return fault_hit() ? NULL : str_dup(s);
}

int config_nomem(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "not enough memory for the configuration");
}

/* --- durations and sizes --- */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
/* All are powers of 1024, also without the "i": what people mean when they write 16k. */
static const struct unit size_units[] = {{"t", GIB * 1024}, {"g", GIB}, {"m", MIB}, {"k", KIB}, {"b", 1}};

static size_t digits(berth_str s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return n;
}

bool config_parse_duration(berth_str s, uint64_t *ret_ms)
{
    uint64_t total = 0, n;
    if (str_to_u64(s, &n)) {
        if (__builtin_mul_overflow(n, (uint64_t)1000, &total))
            return false;
        *ret_ms = total;
        return true;
    }
    size_t next = 0; /* each unit once, the longer before the shorter */
    do {
        size_t length = digits(s), name = length;
        while (name < s.n && s.p[name] >= 'a' && s.p[name] <= 'z')
            name++;
        berth_str unit = str_head(str_from_offset(s, length), name - length);
        while (next < COUNT(duration_units) && !str_eq(unit, str_from(duration_units[next].name)))
            next++;
        if (next == COUNT(duration_units) || !str_to_u64(str_head(s, length), &n) ||
            __builtin_mul_overflow(n, duration_units[next].factor, &n) ||
            __builtin_add_overflow(total, n, &total))
            return false;
        next++;
        s = str_from_offset(s, name);
    } while (s.n);
    *ret_ms = total;
    return true;
}

bool config_parse_size(berth_str s, uint64_t *ret_bytes)
{
    size_t length = digits(s);
    uint64_t n, factor = 1;
    if (!str_to_u64(str_head(s, length), &n))
        return false;
    berth_str unit = str_trim(str_from_offset(s, length));
    if (unit.n) {
        size_t i = 0;
        while (i < COUNT(size_units) && !str_eq_nocase(str_head(unit, 1), str_from(size_units[i].name)))
            i++;
        if (i == COUNT(size_units))
            return false;
        factor = size_units[i].factor;
        unit = str_from_offset(unit, 1);
        if (unit.n && (factor == 1 || !(str_eq_nocase(unit, STR("ib")) || str_eq_nocase(unit, STR("b")))))
            return false;
    }
    uint64_t bytes;
    if (__builtin_mul_overflow(n, factor, &bytes))
        return false;
    *ret_bytes = bytes;
    return true;
}

void config_add_duration(uint64_t ms, berth_buf *out)
{
    if (!ms)
        berth_buf_add_str(out, STR("0s"));
    for (size_t i = ms <= 48 * duration_units[1].factor; i < COUNT(duration_units); i++) { /* 24h, but 14d */
        uint64_t n = ms / duration_units[i].factor;
        if (n)
            berth_buf_addf(out, "%llu%s", (unsigned long long)n, duration_units[i].name);
        ms %= duration_units[i].factor;
    }
}

void config_add_size(uint64_t bytes, berth_buf *out)
{
    static const char *const names[] = {"TiB", "GiB", "MiB", "KiB"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (bytes && bytes % size_units[i].factor == 0) {
            berth_buf_addf(out, "%llu%s", (unsigned long long)(bytes / size_units[i].factor), names[i]);
            return;
        }
    berth_buf_addf(out, "%llu", (unsigned long long)bytes);
}

/* --- refusing --- */

static int misfit(const struct config_form *form, berth_str text, berth_error *err)
{
    char shown[CONFIG_SHOWN];
    if (!text.n)
        return berth_error_set(err, BERTH_E_INVALID, "empty, where %s is wanted", form->name);
    if (form->example)
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is not %s (try %s)", config_show(text, shown),
                               form->name, form->example);
    return berth_error_set(err, BERTH_E_INVALID, "'%s' is not %s", config_show(text, shown), form->name);
}

/* The rules for any text: clean, of bounded length, one of @values if there are, of @form if there is one. */
static int check_text(berth_str text, const struct config_form *form, const char *const *values,
                      berth_error *err)
{
    char shown[CONFIG_SHOWN];
    if (text.n > CONFIG_TEXT_MAX)
        return berth_error_set(err, BERTH_E_INVALID, "longer than %zu bytes", CONFIG_TEXT_MAX);
    if (!config_text_clean(text))
        return berth_error_set(err, BERTH_E_INVALID, "'%s' is not one line of UTF-8 text",
                               config_show(text, shown));
    if (form && !form->fits(text))
        return misfit(form, text, err);
    if (!values)
        return BERTH_OK;
    CLEANUP(berth_buf_done) berth_buf all = BERTH_BUF_INIT(KIB);
    for (size_t i = 0; values[i]; i++) {
        if (str_eq(text, str_from(values[i])))
            return BERTH_OK;
        berth_buf_addf(&all, "%s%s", !i ? "" : values[i + 1] ? ", " : " or ", values[i]);
    }
    const char *list = berth_buf_cstr(&all);
    return list ? berth_error_set(err, BERTH_E_INVALID, "'%s' is not %s", config_show(text, shown), list)
                : config_nomem(err);
}

static void add_number(const struct config_setting *s, uint64_t n, berth_buf *out)
{
    if (s->type == CONFIG_DURATION)
        config_add_duration(n, out);
    else if (s->type == CONFIG_SIZE)
        config_add_size(n, out);
    else
        berth_buf_addf(out, "%llu", (unsigned long long)n);
}

static int check_range(const struct config_setting *s, berth_str text, uint64_t n, berth_error *err)
{
    if (n >= s->least && n <= s->most)
        return BERTH_OK;
    char shown[CONFIG_SHOWN];
    CLEANUP(berth_buf_done) berth_buf b = BERTH_BUF_INIT(KIB);
    berth_buf_addf(&b, "'%s' is %s ", config_show(text, shown),
                   s->least == s->most ? "not supported: must be"
                   : n < s->least      ? "too small: must be at least"
                                       : "too large: must be at most");
    add_number(s, n < s->least ? s->least : s->most, &b);
    const char *reason = berth_buf_cstr(&b);
    return reason ? berth_error_set(err, BERTH_E_INVALID, "%s", reason) : config_nomem(err);
}

/* --- single values --- */

static int replace(char **at, berth_str text, berth_error *err)
{
    char *copy = NULL;
    if (text.n && !(copy = config_dup(text)))
        return config_nomem(err);
    mem_free(*at);
    *at = copy;
    return BERTH_OK;
}

static bool parse_bool(berth_str s, bool *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < COUNT(words); i++)
        if (str_eq_nocase(s, str_from(words[i]))) {
            *ret = i & 1;
            return true;
        }
    return false;
}

int config_set(struct config *c, const struct config_setting *s, berth_str text, berth_error *err)
{
    void *at = config_at(c, s->offset);
    uint64_t n;
    int r;
    switch (s->type) {
    case CONFIG_TEXT:
        if (text.n || s->fallback) { /* empty: back to "none" where that is the default */
            r = check_text(text, s->form, s->values, err);
            if (r < 0)
                return r;
        }
        return replace(at, text, err);
    case CONFIG_BOOL:
        return parse_bool(text, at) ? BERTH_OK : misfit(&config_form_bool, text, err);
    case CONFIG_NUMBER:
        if (!str_to_u64(text, &n))
            return misfit(&config_form_number, text, err);
        r = check_range(s, text, n, err);
        if (r == BERTH_OK)
            *(uint32_t *)at = (uint32_t)n;
        return r;
    case CONFIG_DURATION:
        if (!config_parse_duration(text, &n))
            return misfit(&config_form_duration, text, err);
        r = check_range(s, text, n, err);
        if (r == BERTH_OK)
            *(uint64_t *)at = n;
        return r;
    case CONFIG_SIZE:
        if (!config_parse_size(text, &n))
            return misfit(&config_form_size, text, err);
        r = check_range(s, text, n, err);
        if (r == BERTH_OK)
            *(uint64_t *)at = n;
        return r;
    case CONFIG_LIST:
    case CONFIG_RECORDS:
    case CONFIG_TLS:
        break;
    }
    return berth_error_set(err, BERTH_E_INVALID, "%s is not a single value", s->key);
}

void config_add_value(const struct config *c, const struct config_setting *s, berth_buf *out)
{
    const void *at = config_at(c, s->offset);
    switch (s->type) {
    case CONFIG_TEXT:
        berth_buf_add_str(out, str_from(*(char *const *)at));
        break;
    case CONFIG_BOOL:
        berth_buf_add_str(out, *(const bool *)at ? STR("true") : STR("false"));
        break;
    case CONFIG_NUMBER:
        add_number(s, *(const uint32_t *)at, out);
        break;
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        add_number(s, *(const uint64_t *)at, out);
        break;
    case CONFIG_LIST:
    case CONFIG_RECORDS:
    case CONFIG_TLS:
        break;
    }
}

/* --- lists --- */

unsigned config_count(const struct config *c, const struct config_setting *s)
{
    return *(unsigned *)config_at(c, s->count_offset);
}

/* The array of a list, whose entries are of several types: read and written as bytes. */
static char *entries_of(const struct config *c, const struct config_setting *s)
{
    char *p;
    memcpy(&p, config_at(c, s->offset), sizeof(p));
    return p;
}

static void set_entries(struct config *c, const struct config_setting *s, char *p)
{
    memcpy(config_at(c, s->offset), &p, sizeof(p));
}

/* Room for one more entry of @size bytes, zeroed, which does not count yet. */
static int extend(struct config *c, const struct config_setting *s, size_t size, void **ret_entry,
                  berth_error *err)
{
    size_t n = config_count(c, s);
    if (n >= CONFIG_ENTRIES_MAX)
        return berth_error_set(err, BERTH_E_INVALID, "more than %u entries", CONFIG_ENTRIES_MAX);
    char *p = fault_hit() ? NULL : mem_realloc(entries_of(c, s), (n + 1) * size);
    if (!p)
        return config_nomem(err);
    set_entries(c, s, p);
    *ret_entry = memset(p + n * size, 0, size);
    return BERTH_OK;
}

int config_add_record(struct config *c, const struct config_setting *s, void **ret_record, berth_error *err)
{
    int r = extend(c, s, s->record_size, ret_record, err);
    if (r == BERTH_OK)
        ++*(unsigned *)config_at(c, s->count_offset);
    return r;
}

int config_set_field(const struct config_field *f, void *record, berth_str text, berth_error *err)
{
    int r = text.n ? check_text(text, f->form, f->values, err) : BERTH_OK;
    return r < 0 ? r : replace(config_field_at(record, f), text, err);
}

int config_check_record(const struct config_setting *s, const void *record, berth_error *err)
{
    for (size_t i = 0; i < s->n_fields; i++)
        if (s->fields[i].required && !*config_field_at(record, &s->fields[i]))
            return berth_error_set(err, BERTH_E_INVALID, "has no %s", s->fields[i].key);
    return BERTH_OK;
}

int config_add(struct config *c, const struct config_setting *s, berth_str text, berth_error *err)
{
    void *entry;
    if (s->type == CONFIG_RECORDS) {
        int r = config_add_record(c, s, &entry, err);
        if (r == BERTH_OK)
            r = config_set_field(&s->fields[s->bare], entry, text, err);
        return r < 0 ? r : config_check_record(s, entry, err);
    }
    int r = check_text(text, s->form, s->values, err);
    if (r == BERTH_OK)
        r = extend(c, s, sizeof(char *), &entry, err);
    if (r < 0)
        return r;
    char *copy = config_dup(text);
    if (!copy)
        return config_nomem(err);
    *(char **)entry = copy;
    ++*(unsigned *)config_at(c, s->count_offset);
    return BERTH_OK;
}

/* A list of plain texts is one of records with a single, nameless field. */
static const struct config_field entry_field[] = {{.offset = 0}};

/* The fields of an entry, and its size. */
static size_t layout(const struct config_setting *s, const struct config_field **ret_fields, size_t *ret_n)
{
    bool records = s->type == CONFIG_RECORDS;
    *ret_fields = records ? s->fields : entry_field;
    *ret_n = records ? s->n_fields : 1;
    return records ? s->record_size : sizeof(char *);
}

const void *config_entry(const struct config *c, const struct config_setting *s, size_t i)
{
    return entries_of(c, s) + i * (s->type == CONFIG_RECORDS ? s->record_size : sizeof(char *));
}

void config_clear(struct config *c, const struct config_setting *s)
{
    if (s->type == CONFIG_TEXT) {
        char **text = config_at(c, s->offset);
        mem_free(steal(text));
    }
    if (s->type != CONFIG_LIST && s->type != CONFIG_RECORDS)
        return;
    const struct config_field *fields;
    size_t n_fields, size = layout(s, &fields, &n_fields);
    char *entries = entries_of(c, s);
    unsigned *count = config_at(c, s->count_offset);
    for (size_t i = 0; i < *count; i++)
        for (size_t f = 0; f < n_fields; f++)
            mem_free(*config_field_at(entries + i * size, &fields[f]));
    mem_free(entries);
    set_entries(c, s, NULL);
    *count = 0;
}

static bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool config_equal(const struct config *a, const struct config *b, const struct config_setting *s)
{
    const void *x = config_at(a, s->offset), *y = config_at(b, s->offset);
    const struct config_field *fields;
    size_t n_fields, size;
    switch (s->type) {
    case CONFIG_TEXT:
        return text_equal(*(char *const *)x, *(char *const *)y);
    case CONFIG_BOOL:
        return *(const bool *)x == *(const bool *)y;
    case CONFIG_NUMBER:
        return *(const uint32_t *)x == *(const uint32_t *)y;
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case CONFIG_LIST:
    case CONFIG_RECORDS:
        if (config_count(a, s) != config_count(b, s))
            return false;
        size = layout(s, &fields, &n_fields);
        for (size_t i = 0; i < config_count(a, s); i++)
            for (size_t f = 0; f < n_fields; f++)
                if (!text_equal(*config_field_at(entries_of(a, s) + i * size, &fields[f]),
                                *config_field_at(entries_of(b, s) + i * size, &fields[f])))
                    return false;
        return true;
    case CONFIG_TLS:
        break;
    }
    return true;
}
