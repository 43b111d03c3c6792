/* cli/registry.c - `berth registry list|show|set|unset`: the file of settings by host, edited by its own
 * options. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/remote.h"

/* An invalid file is the configuration's fault, not the command line's. */
static int fail(const struct cli_command *c, const berth_error *err)
{
    cli_say(c->name, "%s", err->message);
    return err->code == BERTH_E_INVALID ? EXIT_CONFIG : remote_exit_code(err->code);
}

static int check_host(const struct cli_command *c, const char *host)
{
    if (strstr(host, "://"))
        return cli_usage(c->name, "'%s': leave out what stands before the host", host);
    return hosts_name_valid(str_from(host))
               ? -1
               : cli_usage(c->name, "'%s' is no host, such as registry.example:5000, nor " HOSTS_DEFAULT,
                           host);
}

/* --- showing --- */

static bool is_secret(berth_str header)
{
    static const char *const words[] = {"auth", "cookie", "token", "secret", "key", "password"};
    CLEANUP(freep) char *name = str_dup(header);
    for (size_t i = 0; name && i < COUNT(words); i++)
        if (strcasestr(name, words[i]))
            return true;
    return !name;
}

/* A value as it may be shown: a proxy's password and what a header says of who we are stay in the file. */
static void print_value(const struct cli_option *o, const char *value, berth_buf *out)
{
    berth_str s = str_from(value), name, rest;
    const char *at = strrchr(value, '@'), *scheme = strstr(value, "://");
    const char *user = scheme ? scheme + 3 : value;
    if (strcmp(o->name, "header") == 0 && str_cut(s, ':', &name, &rest) && is_secret(name))
        berth_buf_addf(out, STR_FMT ": ***", STR_ARG(name));
    else if (strcmp(o->name, "proxy") == 0 && at && memchr(user, ':', (size_t)(at - user)))
        berth_buf_addf(out, "%.*s:***%s", (int)(strchr(user, ':') - value), value, at);
    else
        berth_buf_add_str(out, s);
}

static json_t *text_json(const struct cli_option *o, const char *value)
{
    CLEANUP(berth_buf_done) berth_buf shown = BERTH_BUF_INIT(MIB);
    print_value(o, value, &shown);
    return json_stringn(shown.p ? shown.p : "", shown.n);
}

static json_t *value_json(const struct cli_option *o, const char *const *values, size_t n)
{
    switch (o->kind) {
    case CLI_FLAG:
        return json_boolean(strcmp(values[0], "true") == 0);
    case CLI_NUMBER:
        return json_integer(strtoll(values[0], NULL, 10));
    case CLI_WORDS:
        break;
    case CLI_TEXT:
    case CLI_FILE:
    case CLI_SIZE:
    case CLI_CHOICE:
    case CLI_SETTING:
        return text_json(o, values[0]);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, text_json(o, values[i]));
    return list;
}

/* One line, or one entry of a document. @from: NULL, or who says so. */
struct row {
    const char *host; /* NULL: not shown */
    const struct cli_option *option;
    const char *const *values;
    size_t n;
    const char *from;
};

static void print_row(const struct row *r)
{
    for (size_t i = 0; i < r->n; i++) {
        CLEANUP(berth_buf_done) berth_buf shown = BERTH_BUF_INIT(MIB);
        print_value(r->option, r->values[i], &shown);
        printf("%s%s%s  " STR_FMT "%s%s%s\n", r->host ? r->host : "", r->host ? "  " : "", r->option->name,
               STR_ARG(berth_buf_str(&shown)), r->from ? "  (" : "", r->from ? r->from : "",
               r->from ? ")" : "");
    }
}

static json_t *row_json(const struct row *r)
{
    json_t *j =
        json_pack("{s:s, s:o}", "name", r->option->name, "value", value_json(r->option, r->values, r->n));
    if (r->from)
        json_object_set_new(j, "from", json_string(r->from));
    return j;
}

static int run_list(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(cli_base_done) struct cli_base b = {0};
    CLEANUP(hosts_done) struct hosts h = {0};
    berth_error err = BERTH_ERROR_INIT;
    int rc = cli_read(c, argc, argv, &b);
    if (rc >= 0)
        return rc;
    if (hosts_load(&h, &err) != BERTH_OK)
        return fail(c, &err);
    json_t *list = json_array();
    for (const struct hosts_entry *host = h.first; host; host = host->next) {
        json_t *settings = json_array();
        for (size_t i = 0; i < host->n; i++) {
            const struct host_setting *s = &host->settings[i];
            const struct row row = {host->name, s->option, s->values, s->n, NULL};
            if (cli_wants_text(&b))
                print_row(&row);
            json_array_append_new(settings, row_json(&row));
        }
        if (cli_wants_text(&b) && !host->n)
            printf("%s\n", host->name);
        json_array_append_new(list, json_pack("{s:s, s:o}", "host", host->name, "settings", settings));
    }
    json_t *document = json_pack("{s:s*, s:o}", "file", h.path, "hosts", list);
    if (!cli_wants_text(&b))
        return cli_print(c, &b, document);
    json_decref(document);
    return cli_printed(c);
}

static int run_show(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(cli_base_done) struct cli_base b = {0};
    CLEANUP(hosts_done) struct hosts h = {0};
    berth_error err = BERTH_ERROR_INIT;
    struct environment env;
    struct cli_given given[HOSTS_VARIABLES];
    const struct host_choice *chosen = NULL;
    size_t n = 0;
    int rc = cli_read(c, argc, argv, &b);
    if (rc < 0)
        rc = check_host(c, b.operands[0]);
    if (rc >= 0)
        return rc;
    if (environment_read(&env, &err) != BERTH_OK)
        return cli_usage(c->name, "%s", err.message);
    size_t n_given = hosts_environment(&env, given);
    int r = hosts_load(&h, &err);
    if (r == BERTH_OK)
        r = hosts_choose(&h, b.operands[0], given, n_given, &b.arena, &chosen, &n, &err);
    if (r != BERTH_OK)
        return fail(c, &err);
    json_t *list = json_array();
    for (size_t i = 0; i < n_given + n; i++) {
        const struct host_setting *s = i < n_given ? NULL : chosen[i - n_given].setting;
        const struct row row = {.option = s ? s->option : given[i].option,
                                .values = s ? s->values : (const char *const *)&given[i].text,
                                .n = s ? s->n : 1,
                                .from = s ? chosen[i - n_given].from->name : "environment"};
        if (cli_wants_text(&b))
            print_row(&row);
        json_array_append_new(list, row_json(&row));
    }
    json_t *document = json_pack("{s:s*, s:s, s:o}", "file", h.path, "host", b.operands[0], "settings", list);
    if (!cli_wants_text(&b))
        return cli_print(c, &b, document);
    json_decref(document);
    return cli_printed(c);
}

/* --- changing --- */

struct change {
    const struct cli_command *command;
    struct remote remote;
    int usage; /* what cli_usage() returned; 0: nothing was wrong */
};

/* The name of a file with the folder that it is in: it is going to be read from any. */
static const char *whole_value(const struct cli_option *o, const char *text, berth_arena *arena)
{
    CLEANUP(freep)
    char *here = cli_option_is_path(o) && text[0] && text[0] != '/' ? mem_adopt(getcwd(NULL, 0)) : NULL;
    return here ? berth_arena_printf(arena, "%s/%s", here, text) : berth_arena_dup(arena, str_from(text));
}

/* What the command line says of one option, all of it. */
static int read_given(struct cli_base *b, struct hosts *h, const struct cli_option *o,
                      struct host_setting *ret, berth_error *err)
{
    const char **values = berth_arena_alloc(&h->arena, b->n_given * sizeof(*values));
    size_t n = 0;
    for (size_t i = 0; values && i < b->n_given; i++) {
        if (b->given[i].option != o)
            continue;
        if (o->kind != CLI_WORDS)
            n = 0; /* the last one counts, as for any command */
        values[n] = whole_value(o, b->given[i].text, &h->arena);
        if (!values[n++])
            values = NULL;
    }
    *ret = (struct host_setting){.option = o, .values = values, .n = n};
    return values ? BERTH_OK : berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static int set(void *arg, struct hosts *h, berth_error *err)
{
    struct change *change = arg;
    struct cli_base *b = &change->remote.base;
    const struct cli_option *o;
    const struct host_setting *one, *other;
    struct hosts_entry *host = hosts_find(h, b->operands[0]);
    int r = host ? BERTH_OK : hosts_add(h, b->operands[0], &host, err);
    for (size_t i = 0; r == BERTH_OK && (o = hosts_option_at(i)); i++) {
        struct host_setting s = {.n = 0};
        r = b->n_given ? read_given(b, h, o, &s, err) : BERTH_OK;
        if (r == BERTH_OK && s.n)
            r = hosts_set(h, host, &s, err);
    }
    if (r != BERTH_OK || !host_contradicts(host, &one, &other))
        return r;
    change->usage =
        cli_usage(change->command->name, "%s and %s exclude each other: berth registry unset %s %s",
                  other->option->name, one->option->name, host->name, one->option->name);
    return BERTH_E_CONFLICT;
}

/* Says what has been done, and that comments are gone. */
static int tell(const struct cli_command *c, const struct cli_base *b, const struct hosts *h)
{
    if (h->comments)
        fprintf(stderr, "berth %s: the comments in '%s' are gone: they are not kept\n", c->name, h->path);
    return cli_tell(c, b, json_pack("{s:s, s:s}", "file", h->path, "host", b->operands[0]), "%s  %s\n",
                    b->operands[0], h->path);
}

static int check_given(const struct cli_command *c, const struct cli_base *b)
{
    for (size_t i = 0; i < b->n_given; i++)
        if (b->given[i].option->per_host)
            return -1;
    return cli_usage(c->name, "there is nothing to set: an option is needed");
}

static int unset(void *arg, struct hosts *h, berth_error *err)
{
    struct change *change = arg;
    const struct cli_base *b = &change->remote.base;
    struct hosts_entry *host = hosts_find(h, b->operands[0]);
    if (!host)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' has no entry in '%s'", b->operands[0], h->path);
    for (size_t i = 1; i < b->n_operands; i++)
        if (!hosts_unset(host, hosts_option(str_from(b->operands[i]))))
            return berth_error_set(err, BERTH_E_NOT_FOUND, "'%s' has no %s in '%s'", b->operands[0],
                                   b->operands[i], h->path);
    if (b->n_operands == 1 || !host->n)
        hosts_remove(h, host->name);
    return BERTH_OK;
}

static int check_names(const struct cli_command *c, const struct cli_base *b)
{
    const struct cli_option *o;
    const char *names[64];
    size_t n = 0;
    for (; n < COUNT(names) && (o = hosts_option_at(n)); n++)
        names[n] = o->name;
    for (size_t i = 1; i < b->n_operands; i++) {
        if (hosts_option(str_from(b->operands[i])))
            continue;
        const char *nearest = cli_nearest(b->operands[i], names, n);
        return cli_usage(c->name, "'%s' is no setting%s%s%s", b->operands[i],
                         nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    }
    return -1;
}

/* What both commands do: @check looks at what was asked for, before @edit changes what is kept. */
static int run_edit(const struct cli_command *c, int argc, char **argv,
                    int (*check)(const struct cli_command *c, const struct cli_base *b),
                    int (*edit)(void *arg, struct hosts *h, berth_error *err))
{
    struct change change = {.command = c, .remote = REMOTE_INIT};
    CLEANUP(remote_donep) struct remote *r = &change.remote;
    CLEANUP(hosts_done) struct hosts h = {0};
    berth_error err = BERTH_ERROR_INIT;
    int rc = cli_read(c, argc, argv, &r->base);
    if (rc < 0)
        rc = check_host(c, r->base.operands[0]);
    if (rc < 0)
        rc = check(c, &r->base);
    if (rc >= 0)
        return rc;
    if (hosts_edit(edit, &change, &h, &err) != BERTH_OK)
        return change.usage ? change.usage : fail(c, &err);
    return tell(c, &r->base, &h);
}

static int run_set(const struct cli_command *c, int argc, char **argv)
{
    return run_edit(c, argc, argv, check_given, set);
}

static int run_unset(const struct cli_command *c, int argc, char **argv)
{
    return run_edit(c, argc, argv, check_names, unset);
}

#define FILE_FIELD                                                                                           \
    {                                                                                                        \
        "file", "string", "the file of settings; absent where HOME and its like say no place"                \
    }

const struct cli_command cmd_registry_list = {
    .name = "registry list",
    .summary = "print the settings of all registries",
    .operands = "",
    .text = "Prints what the file of settings by registry says, a line for each setting: registry, name, "
            "value. That file is "
            "$BERTH_HOSTS_FILE, else berth/hosts.yaml in $XDG_CONFIG_HOME or ~/.config. Passwords in it are "
            "not shown.",
    .fields = (const struct cli_field[]){FILE_FIELD,
                                         {"hosts[].host", "string", "the registry, or default"},
                                         {"hosts[].settings[].name", "string", "an option's name: ca-file"},
                                         {"hosts[].settings[].value", "any",
                                          "text, number, boolean, or a list of text"},
                                         {0}},
    .examples =
        (const struct cli_example[]){{"berth registry list", NULL},
                                     {"berth registry list --format '{{range .hosts}}{{.host}}\\n{{end}}'",
                                      "the registries that have settings"},
                                     {0}},
    .takes = CLI_OUTPUT,
    .run = run_list,
};

const struct cli_command cmd_registry_show = {
    .name = "registry show",
    .summary = "print what holds for a registry",
    .operands = "HOST",
    .text = "Prints what commands on HOST go by that are given no options, a line for each setting: name, "
            "value, and "
            "whether the environment, HOST's own entry or `default` says so. Passwords are not shown.",
    .fields =
        (const struct cli_field[]){
            FILE_FIELD,
            {"host", "string", "the registry"},
            {"settings[].name", "string", "an option's name: ca-file"},
            {"settings[].value", "any", "text, number, boolean, or a list of text"},
            {"settings[].from", "string", "environment, or whose entry: default, or a host"},
            {0}},
    .examples = (const struct cli_example[]){{"berth registry show registry.example:5000", NULL},
                                             {"berth registry show registry.example --output json", NULL},
                                             {0}},
    .takes = CLI_OUTPUT,
    .run = run_show,
};

const struct cli_command cmd_registry_set = {
    .name = "registry set",
    .summary = "keep settings for a registry",
    .operands = "HOST",
    .text = "Keeps options for HOST, or for all registries if it is `default`: commands on registries go by "
            "them as if they "
            "had been given. A command's own options come before the environment (BERTH_ variables and "
            "REGISTRY_AUTH_FILE), "
            "that before HOST's entry, and that before `default`. Each option takes the place of one that is "
            "kept; others "
            "stay. One that may be given again and again is kept as a list. A flag is true, or false as in "
            "--plain-http=false, against a `default`. Names of files are kept as whole paths. Of the "
            "options of commands on registries all can be kept but --username, --password-stdin, --scope and "
            "--debug.\n\n"
            "The file is $BERTH_HOSTS_FILE, else berth/hosts.yaml in $XDG_CONFIG_HOME or ~/.config, in YAML; "
            "only its owner "
            "can read it. It is replaced as a whole, without comments. Passwords belong to berth login. "
            "https_proxy and its like are looked at where no proxy is kept or given.",
    .fields = (const struct cli_field[]){FILE_FIELD, {"host", "string", "the registry, or default"}, {0}},
    .examples =
        (const struct cli_example[]){
            {"berth registry set localhost:5001 --plain-http", NULL},
            {"berth registry set registry.example --ca-file team.pem --timeout 120", NULL},
            {"berth registry set default --proxy socks5h://localhost:1080", NULL},
            {0}},
    .takes = CLI_HOST_SETTINGS | CLI_OUTPUT,
    .run = run_set,
};

const struct cli_command cmd_registry_unset = {
    .name = "registry unset",
    .summary = "forget settings of a registry",
    .operands = "HOST [NAME...]",
    .text = "Forgets the settings NAME of HOST, or its whole entry. The exit code is 4 where there is no "
            "such thing.",
    .fields = (const struct cli_field[]){FILE_FIELD, {"host", "string", "the registry, or default"}, {0}},
    .examples = (const struct cli_example[]){{"berth registry unset registry.example ca-file timeout", NULL},
                                             {"berth registry unset localhost:5001", NULL},
                                             {0}},
    .takes = CLI_OUTPUT,
    .run = run_unset,
};
