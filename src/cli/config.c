/* cli/config.c - `berth config check|show|document`. */
#include <stdio.h>

#include "cli/commands.h"

struct options {
    struct cli_base base;
    bool markdown, schema;
};

/* The command line of `check` and `show`: a FILE counts like --config FILE. */
static int read_options(const struct cli_command *c, int argc, char **argv, struct cli_base *b)
{
    int rc = cli_read(c, argc, argv, b);
    if (rc < 0 && b->n_operands)
        b->settings.path = b->operands[0];
    return rc;
}

/* Prints a document that is there as text. */
static int print_document(const struct cli_command *c, const struct cli_base *b, const berth_buf *text)
{
    json_error_t why;
    json_t *j = json_loadb(text->p, text->n, 0, &why);
    if (!j && json_error_code(&why) == json_error_invalid_utf8) {
        fprintf(stderr, "berth %s: a setting is no UTF-8, and so can't stand in JSON\n", c->name);
        return EXIT_FAILED;
    }
    return cli_print(c, b, j);
}

static int run_document(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {0};
    CLEANUP(cli_base_donep) struct cli_base *b = &o.base;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(4 * MIB);
    int rc = cli_read(c, argc, argv, b);
    if (rc >= 0)
        return rc;
    if (!cli_wants_text(b) && o.markdown)
        return cli_usage(c->name, "Markdown is text: it has no --output json and no --format");
    if (o.schema || !cli_wants_text(b))
        config_document_schema(&out);
    else
        config_document_markdown(&out);
    if (!cli_wants_text(b) && !berth_buf_failed(&out))
        return print_document(c, b, &out);
    fwrite(out.p, 1, out.n, stdout);
    return berth_buf_failed(&out) ? EXIT_FAILED : cli_printed(c);
}

static void warn_of_variable(void *arg, const char *name, const char *nearest)
{
    (void)arg;
    fprintf(stderr, "warning: %s is no setting%s%s%s\n", name, *nearest ? " (did you mean " : "", nearest,
            *nearest ? "?)" : "");
}

/* Each line of @problems is one. */
static json_t *check_document(const char *path, berth_str problems, const berth_error *err)
{
    json_t *list = json_array();
    berth_str line;
    while (problems.n) {
        str_cut(problems, '\n', &line, &problems);
        json_array_append_new(list, json_stringn(line.p, line.n));
    }
    if (err->code != BERTH_OK)
        json_array_append_new(list, json_string(err->message));
    return json_pack("{s:s?, s:b, s:o}", "file", path, "valid", json_array_size(list) == 0, "problems", list);
}

static int run_check(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(cli_base_done) struct cli_base b = {0};
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(4 * MIB);
    berth_error err = BERTH_ERROR_INIT;
    size_t n = 0;
    int rc = read_options(c, argc, argv, &b);
    if (rc >= 0)
        return rc;
    const struct cli_settings *s = &b.settings;
    int r = config_check(s->path, s->flags, s->n_flags, &out, &n, &err);
    bool valid = r == BERTH_OK && n == 0, text = cli_wants_text(&b);
    if (text && out.n)
        fwrite(out.p, 1, out.n, stderr);
    if (text && r != BERTH_OK)
        fprintf(stderr, "%s\n", err.message);
    config_unknown_variables(warn_of_variable, NULL);
    if (!text)
        rc = cli_print(c, &b, check_document(s->path, berth_buf_str(&out), &err));
    if (!valid || !text)
        return valid ? rc : EXIT_CONFIG;
    printf("%s: valid\n", s->path ? s->path : "defaults and environment");
    return cli_printed(c);
}

static int run_show(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(cli_base_done) struct cli_base b = {0};
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(4 * MIB);
    struct config *config = NULL;
    berth_error err = BERTH_ERROR_INIT;
    int rc = read_options(c, argc, argv, &b);
    if (rc >= 0)
        return rc;
    const struct cli_settings *s = &b.settings;
    if (config_load(s->path, s->flags, s->n_flags, &config, &err) != BERTH_OK) {
        fprintf(stderr, "%s\n", err.message);
        return EXIT_CONFIG;
    }
    bool text = cli_wants_text(&b);
    int r = text ? config_print(config, &out, &err) : config_print_json(config, &out, &err);
    config_free(config);
    if (r != BERTH_OK)
        return cli_fail(c->name, &err);
    if (!text)
        return print_document(c, &b, &out);
    fwrite(out.p, 1, out.n, stdout);
    return cli_printed(c);
}

const struct cli_command cmd_config_check = {
    .name = "config check",
    .summary = "say everything that is wrong with a configuration",
    .operands = "[FILE]",
    .text =
        "Says everything that is wrong with a configuration: file, line, reason; then the exit code is 3.",
    .fields = (const struct cli_field[]){{"file", "string", "that was looked at; null: none"},
                                         {"valid", "boolean", "nothing is wrong"},
                                         {"problems[]", "string", "file, line and reason of each"},
                                         {0}},
    .examples = (const struct cli_example[]){{"berth config check /etc/berth.yaml", NULL}, {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_check,
};

const struct cli_command cmd_config_show = {
    .name = "config show",
    .summary = "print the whole configuration in force",
    .operands = "[FILE]",
    .text = "Prints the whole configuration in force: defaults, file, environment, flags.",
    .fields =
        (const struct cli_field[]){
            {"SECTION", "object", "http, log and so on: each setting under its name in berth.yaml"},
            {"data", "string", "the folder of metadata and content"},
            {"listen[]", "object", "address, and certificate, key and so on, of each"},
            {0}},
    .examples = (const struct cli_example[]){{"BERTH_HTTP_PREFIX=/oci berth config show", NULL},
                                             {"berth config show --format '{{.http.prefix}}'", NULL},
                                             {0}},
    .takes = CLI_SETTINGS | CLI_OUTPUT,
    .run = run_show,
};

const struct cli_command cmd_config_document = {
    .name = "config document",
    .summary = "print the reference of all settings, or their JSON schema",
    .operands = "",
    .text = "Prints the reference of all settings, or their JSON schema, which is also the document for "
            "--output json.",
    .options = (const struct cli_option[]){{.name = "markdown",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, markdown),
                                            .help = "the reference, in Markdown (the default)"},
                                           {.name = "schema",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, schema),
                                            .help = "the JSON schema of berth.yaml"},
                                           {0}},
    .fields =
        (const struct cli_field[]){
            {"properties", "object", "the schema of each section, and of each setting within its properties"},
            {0}},
    .examples = (const struct cli_example[]){{"berth config document --schema", NULL}, {0}},
    .takes = CLI_OUTPUT,
    .run = run_document,
};
