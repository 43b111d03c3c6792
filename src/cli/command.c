/* cli/command.c - reads a command line by the command's row; see command.h. */
#include "cli/command.h"

#include <stdio.h>

#include "cli/format.h"
#include "cli/forms.h"
#ifdef BERTH_CLIENT
#include "cli/hosts.h"
#include "cli/remote.h"
#endif

static const struct cli_option for_all[] = {
    {.name = "help",
     .letter = 'h',
     .kind = CLI_FLAG,
     .at = offsetof(struct cli_base, help),
     .help = "print this"},
    {0},
};

static const struct cli_option of_output[] = {
    {.name = "output",
     .kind = CLI_CHOICE,
     .value = "text|json",
     .at = offsetof(struct cli_base, output),
     .help = "text for people, or a JSON document for programs (text)"},
    {.name = "format",
     .kind = CLI_TEXT,
     .value = "TEMPLATE",
     .at = offsetof(struct cli_base, template),
     .help = "print what TEMPLATE makes of the JSON document, such as '{{.digest}}': see berth-format(7)"},
    {0},
};

static const struct cli_option of_progress[] = {
    {.name = "quiet",
     .letter = 'q',
     .kind = CLI_FLAG,
     .at = offsetof(struct cli_base, quiet),
     .help = "say nothing about progress"},
    {.name = "no-progress",
     .kind = CLI_FLAG,
     .at = offsetof(struct cli_base, no_progress),
     .help = "plain lines instead of bars on a terminal"},
    {0},
};

static const struct cli_option of_settings[] = {
    {.name = "config",
     .kind = CLI_SETTING,
     .value = "FILE",
     .help = "the configuration, in YAML (or BERTH_CONFIG)"},
    {.name = "data", .kind = CLI_SETTING, .value = "DIR", .help = "folder of metadata and content (./data)"},
    {0},
};

#ifndef BERTH_CLIENT
static const struct cli_option remote_options[] = {{0}};
static const struct cli_option connect_options[] = {{0}};
static const struct cli_option host_options[] = {{0}};
#endif

/* In the order of help. */
static const struct group {
    const struct cli_option *options;
    unsigned taken_with; /* 0: by every command */
    const char *title;
} groups[] = {
    {of_settings, CLI_SETTINGS, NULL},
    {for_all, 0, NULL},
    {host_options, CLI_HOST_SETTINGS, NULL},
    {remote_options, CLI_REGISTRY | CLI_HOST_SETTINGS, "Reaching the registry"},
    {connect_options, CLI_REGISTRY | CLI_HOST_SETTINGS, "Reaching the registry"},
    {of_progress, CLI_OUTPUT, "Output"},
    {of_output, CLI_OUTPUT, "Output"},
};

static bool is_taken(const struct group *g, const struct cli_option *o, const struct cli_command *c)
{
    unsigned by = g->taken_with & c->takes;
    return !g->taken_with || (by && (by != CLI_HOST_SETTINGS || o->per_host));
}

const struct cli_option *cli_shared_options(const struct cli_command *c, size_t i)
{
    for (const struct group *g = groups; g < groups + COUNT(groups); g++)
        for (const struct cli_option *o = g->options; o->name; o++)
            if (is_taken(g, o, c) && i-- == 0)
                return o;
    return NULL;
}

const char *cli_option_title(const struct cli_option *o)
{
    for (const struct group *g = groups; g < groups + COUNT(groups); g++)
        for (const struct cli_option *have = g->options; have->name; have++)
            if (have == o)
                return g->title;
    return NULL;
}

/* A command may have a word of its own for what others share. */
static bool has_own(const struct cli_command *c, size_t own, const char *name)
{
    for (size_t i = 0; i < own; i++)
        if (strcmp(c->options[i].name, name) == 0)
            return true;
    return false;
}

const struct cli_option *cli_option_at(const struct cli_command *c, size_t i)
{
    const struct cli_option *shared;
    size_t own = 0;
    while (c->options && c->options[own].name)
        own++;
    if (i < own)
        return &c->options[i];
    i -= own;
    for (size_t k = 0; (shared = cli_shared_options(c, k)); k++)
        if (!has_own(c, own, shared->name) && i-- == 0)
            return shared;
    return NULL;
}

/* --- one word --- */

static const struct cli_option *find_option(const struct cli_command *c, berth_str word)
{
    const struct cli_option *o;
    bool is_long = str_starts(word, STR("--"));
    for (size_t i = 0; (o = cli_option_at(c, i)); i++)
        if (is_long ? str_eq(str_from_offset(word, 2), str_from(o->name))
                    : o->letter && word.p[1] == o->letter)
            return o;
    return NULL;
}

static int unknown_option(const struct cli_command *c, berth_str word)
{
    const struct cli_option *o;
    const char *names[256];
    size_t n = 0;
    for (size_t i = 0; n < COUNT(names) && (o = cli_option_at(c, i)); i++)
        names[n++] = o->name;
    CLEANUP(freep) char *name = str_dup(str_from_offset(word, 2));
    const char *nearest = name && str_starts(word, STR("--")) ? cli_nearest(name, names, n) : NULL;
    if (nearest)
        return cli_usage(c->name, "'" STR_FMT "' is not an option; did you mean --%s?", STR_ARG(word),
                         nearest);
    return cli_usage(c->name, "'" STR_FMT "' is not an option", STR_ARG(word));
}

/* "64k", "16MiB", "2G", "1000": bytes. */
static bool read_size(berth_str text, uint64_t *ret)
{
    static const char units[] = "kmgt";
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    berth_str unit = str_from_offset(text, digits);
    uint64_t n;
    if (!str_to_u64(str_head(text, digits), &n))
        return false;
    unsigned shift = 0;
    const char *at = unit.n ? strchr(units, unit.p[0] | 0x20) : NULL;
    if (at && *at) {
        shift = 10 * (unsigned)(at - units + 1);
        unit = str_from_offset(unit, 1);
    }
    if (unit.n && !str_eq_nocase(unit, STR("b")) && !(shift && str_eq_nocase(unit, STR("ib"))))
        return false;
    if (n > UINT64_MAX >> shift)
        return false;
    *ret = n << shift;
    return true;
}

static int read_number(const struct cli_option *o, const char *v, uint64_t *ret, berth_error *err)
{
    uint64_t n;
    bool read = o->kind == CLI_SIZE ? read_size(str_from(v), &n) : str_to_u64(str_from(v), &n);
    const char *what = o->kind == CLI_SIZE ? "size, such as 512k or 16MiB" : "number";
    if (!read)
        return berth_error_set(err, BERTH_E_INVALID, "is a %s, not '%s'", what, v);
    if (o->max && n > o->max)
        return berth_error_set(err, BERTH_E_INVALID, "is at most %llu, not '%s'", (unsigned long long)o->max,
                               v);
    *ret = n;
    return BERTH_OK;
}

static int read_flag(const char *v, bool *ret, berth_error *err)
{
    bool on = strcmp(v, "true") == 0;
    if (!on && strcmp(v, "false") != 0)
        return berth_error_set(err, BERTH_E_INVALID, "is true or false, not '%s'", v);
    *ret = on;
    return BERTH_OK;
}

static int read_choice(const struct cli_option *o, const char *v, int *ret, berth_error *err)
{
    berth_str rest = str_from(o->value), word;
    for (int i = 0; rest.n; i++) {
        str_cut(rest, '|', &word, &rest);
        if (str_eq(word, str_from(v))) {
            *ret = i;
            return BERTH_OK;
        }
    }
    CLEANUP(berth_buf_done) berth_buf said = BERTH_BUF_INIT(4 * KIB);
    for (rest = str_from(o->value); rest.n;) {
        str_cut(rest, '|', &word, &rest);
        berth_buf_addf(&said, "%s" STR_FMT, said.n == 0 ? "" : rest.n ? ", " : " or ", STR_ARG(word));
    }
    return berth_error_set(err, BERTH_E_INVALID, "is " STR_FMT ", not '%s'", STR_ARG(berth_buf_str(&said)),
                           v);
}

static int no_memory(const struct cli_command *c)
{
    fprintf(stderr, "berth %s: out of memory\n", c->name);
    return EXIT_FAILED;
}

/* Whether a list of so many has to grow before the next one. */
static bool is_full(size_t n)
{
    return (n & (n - 1)) == 0; /* 0, or a power of two */
}

/* One more at the end of a list in the arena; its growth doubles. */
static bool append(struct cli_base *b, const char ***list, size_t *n, const char *v)
{
    if (is_full(*n)) {
        const char **larger = berth_arena_alloc(&b->arena, (*n ? *n * 2 : 1) * sizeof(*larger));
        if (!larger)
            return false;
        if (*n)
            memcpy((void *)larger, (const void *)*list, *n * sizeof(*larger));
        *list = larger;
    }
    (*list)[(*n)++] = v;
    return true;
}

static bool note_given(struct cli_base *b, const struct cli_option *o, const char *text)
{
    if (is_full(b->n_given)) {
        struct cli_given *larger =
            berth_arena_alloc(&b->arena, (b->n_given ? b->n_given * 2 : 1) * sizeof(*larger));
        if (!larger)
            return false;
        if (b->n_given)
            memcpy(larger, b->given, b->n_given * sizeof(*larger));
        b->given = larger;
    }
    b->given[b->n_given++] = (struct cli_given){.option = o, .text = text};
    return true;
}

int cli_option_set(const struct cli_option *o, const char *text, struct cli_base *b, berth_error *err)
{
    void *at = (char *)b + o->at;
    struct cli_words *words = at;
    switch (o->kind) {
    case CLI_FLAG:
        return read_flag(text, at, err);
    case CLI_TEXT:
    case CLI_FILE:
        *(const char **)at = text;
        return BERTH_OK;
    case CLI_NUMBER:
    case CLI_SIZE:
        return read_number(o, text, at, err);
    case CLI_CHOICE:
        return read_choice(o, text, at, err);
    case CLI_WORDS:
        return append(b, &words->p, &words->n, text) ? BERTH_OK
                                                     : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    case CLI_SETTING:
        break;
    }
    return berth_error_set(err, BERTH_E_INVALID, "is none of a command's own");
}

int cli_option_check(const struct cli_option *o, const char *text, berth_error *err)
{
    bool flag;
    uint64_t number;
    int choice;
    switch (o->kind) {
    case CLI_FLAG:
        return read_flag(text, &flag, err);
    case CLI_NUMBER:
    case CLI_SIZE:
        return read_number(o, text, &number, err);
    case CLI_CHOICE:
        return read_choice(o, text, &choice, err);
    case CLI_TEXT:
    case CLI_FILE:
    case CLI_WORDS:
    case CLI_SETTING:
        break;
    }
    return BERTH_OK;
}

bool cli_option_is_path(const struct cli_option *o)
{
    return o->kind == CLI_FILE ||
           (o->value && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "DIR") == 0));
}

static int take_value(const struct cli_command *c, const struct cli_option *o, const char *v,
                      struct cli_base *b)
{
    berth_error err = BERTH_ERROR_INIT;
    if (form_check(o->value, v, &err) != BERTH_OK)
        return cli_usage(c->name, "--%s: %s", o->name, err.message);
    int r = cli_option_set(o, v, b, &err);
    if (r == BERTH_E_NOMEM || (r == BERTH_OK && !note_given(b, o, v)))
        return no_memory(c);
    return r == BERTH_OK ? EXIT_OK : cli_usage(c->name, "--%s %s", o->name, err.message);
}

/* What is kept for later may say "false" too, against what holds for all hosts. */
static int take_flag(const struct cli_command *c, const struct cli_option *o, const char *v,
                     struct cli_base *b)
{
    if (v && !(c->takes & CLI_HOST_SETTINGS && o->per_host))
        return cli_usage(c->name, "--%s has no value", o->name);
    return take_value(c, o, v ? v : "true", b);
}

/* argv[*i] starts with '-'. */
static int take_option(const struct cli_command *c, int argc, char **argv, int *i, struct cli_base *b)
{
    berth_str word = str_from(argv[*i]), name = word, value = STR_NULL;
    bool attached = false, is_long = str_starts(word, STR("--"));
    if (is_long)
        attached = str_cut(word, '=', &name, &value);
    const struct cli_option *o = find_option(c, name);
    if (o && !is_long && word.n > 2 && o->kind != CLI_FLAG) { /* -oFILE */
        attached = true;
        value = str_from_offset(word, 2);
    } else if (o && !is_long && word.n > 2) {
        o = NULL;
    }
    if ((!o || o->kind == CLI_SETTING) && (c->takes & CLI_SETTINGS)) {
        int took = cli_take_setting(&b->settings, c->name, argc, argv, i);
        if (took != 0)
            return took < 0 ? EXIT_USAGE : EXIT_OK;
    }
    if (!o)
        return unknown_option(c, name);
    if (o->kind == CLI_FLAG)
        return take_flag(c, o, attached ? value.p : NULL, b);
    if (!attached && *i + 1 >= argc)
        return cli_usage(c->name, STR_FMT " needs a value", STR_ARG(name));
    return take_value(c, o, attached ? value.p : argv[++*i], b);
}

/* --- the whole line --- */

/* The next word of "REF [FILE]", without what says how often. */
static bool next_operand(berth_str *rest, berth_str *ret_name, bool *ret_optional, bool *ret_many)
{
    if (!rest->n)
        return false;
    str_cut(*rest, ' ', ret_name, rest);
    *ret_optional = str_starts(*ret_name, STR("["));
    if (*ret_optional)
        *ret_name = str_head(str_from_offset(*ret_name, 1), ret_name->n - 2);
    *ret_many = str_ends(*ret_name, STR("..."));
    if (*ret_many)
        *ret_name = str_head(*ret_name, ret_name->n - 3);
    return true;
}

static int check_operands(const struct cli_command *c, const struct cli_base *b)
{
    berth_str rest = str_from(c->operands), name;
    size_t most = 0;
    bool optional, many, endless = false;
    while (next_operand(&rest, &name, &optional, &many)) {
        if (!optional && b->n_operands <= most)
            return cli_usage(c->name, STR_FMT " is missing", STR_ARG(name));
        most++;
        endless = endless || many;
    }
    if (!endless && b->n_operands > most)
        return cli_usage(c->name, "'%s' is one word too many", b->operands[most]);
    return EXIT_OK;
}

static int check_format(const struct cli_command *c, struct cli_base *b)
{
    berth_error err = BERTH_ERROR_INIT;
    if (!b->template)
        return EXIT_OK;
    if (strcmp(b->template, "json") == 0 ||
        strcmp(b->template, "text") == 0) { /* as docker and oras take it */
        b->output = b->template[0] == 'j' ? CLI_OUTPUT_JSON : CLI_OUTPUT_TEXT;
        return EXIT_OK;
    }
    if (b->output == CLI_OUTPUT_JSON)
        return cli_usage(c->name, "--format prints instead of --output json: give one of them");
    if (format_parse(b->template, &b->format, &err) != BERTH_OK)
        return cli_usage(c->name, "--format: %s", err.message);
    format_know(b->format, c->fields);
    return EXIT_OK;
}

int cli_read(const struct cli_command *c, int argc, char **argv, struct cli_base *b)
{
    bool only_operands = false;
    b->settings.path = c->takes & CLI_SETTINGS ? getenv("BERTH_CONFIG") : NULL;
    for (int i = 1; i < argc; i++) {
        int rc = EXIT_OK;
        if (!only_operands && strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (!only_operands && argv[i][0] == '-' && argv[i][1])
            rc = take_option(c, argc, argv, &i, b);
        else if (!append(b, &b->operands, &b->n_operands, argv[i]))
            rc = no_memory(c);
        if (b->help) {
            cli_help(c);
            return cli_printed(c);
        }
        if (rc != EXIT_OK)
            return rc;
    }
    int rc = check_operands(c, b);
    if (rc == EXIT_OK)
        rc = check_format(c, b);
    return rc == EXIT_OK ? -1 : rc;
}

void cli_base_done(struct cli_base *b)
{
    format_free(b->format);
    cli_settings_done(&b->settings);
    berth_arena_done(&b->arena);
    b->format = NULL;
}

/* --- which command --- */

/* Whether @argv begins with the words of @name; how many they are. */
static bool words_match(const char *name, int argc, const char *const *argv, int *ret_words)
{
    berth_str rest = str_from(name), word;
    int n = 0;
    for (; rest.n; n++) {
        str_cut(rest, ' ', &word, &rest);
        if (n == argc || !str_eq(word, str_from(argv[n])))
            return false;
    }
    *ret_words = n;
    return true;
}

const struct cli_command *cli_find(int argc, const char *const *argv, int *ret_words)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (words_match(cli_commands[i]->name, argc, argv, ret_words))
            return cli_commands[i];
    return NULL;
}

const struct cli_family *cli_find_family(const char *name)
{
    for (const struct cli_family *f = cli_families; f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

const struct cli_family *cli_family_of(const struct cli_command *c)
{
    berth_str first, rest;
    if (!str_cut(str_from(c->name), ' ', &first, &rest))
        return NULL;
    for (const struct cli_family *f = cli_families; f->name; f++)
        if (str_eq(str_from(f->name), first))
            return f;
    return NULL;
}

/* --- what may have been meant --- */

#define NEAREST_MAX 64

/* How many letters have to be put in, taken out, changed or swapped with their neighbour (Damerau and
 * Levenshtein). */
static size_t distance(berth_str a, berth_str b)
{
    size_t rows[3][NEAREST_MAX + 1];
    if (a.n > NEAREST_MAX || b.n > NEAREST_MAX)
        return SIZE_MAX;
    for (size_t k = 0; k <= b.n; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *swap = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= b.n; k++) {
            row[k] = MIN(above[k - 1] + (a.p[i - 1] != b.p[k - 1]), MIN(above[k], row[k - 1]) + 1);
            if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] && a.p[i - 2] == b.p[k - 1])
                row[k] = MIN(row[k], swap[k - 2] + 1);
        }
    }
    return rows[a.n % 3][b.n];
}

const char *cli_nearest(const char *word, const char *const *words, size_t n)
{
    const char *nearest = NULL;
    size_t least = MIN((size_t)3, strlen(word) / 3 + 1);
    for (size_t i = 0; i < n; i++) {
        size_t far = distance(str_from(word), str_from(words[i]));
        if (strlen(word) >= 3 && str_starts(str_from(words[i]), str_from(word)))
            far = 1; /* the start of it */
        if (far < least) {
            least = far;
            nearest = words[i];
        }
    }
    return nearest;
}
