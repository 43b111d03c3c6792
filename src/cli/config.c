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

static int run_document(const struct cli_command *c, int argc, char **argv)
{
    struct options o = {0};
    CLEANUP(cli_base_donep) struct cli_base *b = &o.base;
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(4 * MIB);
    int rc = cli_read(c, argc, argv, b);
    if (rc >= 0)
        return rc;
    if (o.schema)
        config_document_schema(&out);
    else
        config_document_markdown(&out);
    fwrite(out.p, 1, out.n, stdout);
    return berth_buf_failed(&out) ? EXIT_FAILED : cli_printed(c);
}

static void warn_of_variable(void *arg, const char *name, const char *nearest)
{
    (void)arg;
    fprintf(stderr, "warning: %s is no setting%s%s%s\n", name, *nearest ? " (did you mean " : "", nearest,
            *nearest ? "?)" : "");
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
    if (out.n)
        fwrite(out.p, 1, out.n, stderr);
    if (r != BERTH_OK)
        fprintf(stderr, "%s\n", err.message);
    config_unknown_variables(warn_of_variable, NULL);
    if (r != BERTH_OK || n)
        return EXIT_CONFIG;
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
    rc = config_print(config, &out, &err) == BERTH_OK ? EXIT_OK : cli_fail(c->name, &err);
    if (rc == EXIT_OK)
        fwrite(out.p, 1, out.n, stdout);
    config_free(config);
    return rc == EXIT_OK ? cli_printed(c) : rc;
}

const struct cli_command cmd_config_check = {
    .name = "config check",
    .summary = "say everything that is wrong with a configuration",
    .operands = "[FILE]",
    .text =
        "Says everything that is wrong with a configuration: file, line, reason; then the exit code is 3.",
    .examples = (const struct cli_example[]){{"berth config check /etc/berth.yaml", NULL}, {0}},
    .takes = CLI_SETTINGS,
    .run = run_check,
};

const struct cli_command cmd_config_show = {
    .name = "config show",
    .summary = "print the whole configuration in force",
    .operands = "[FILE]",
    .text = "Prints the whole configuration in force: defaults, file, environment, flags.",
    .examples = (const struct cli_example[]){{"BERTH_HTTP_PREFIX=/oci berth config show", NULL}, {0}},
    .takes = CLI_SETTINGS,
    .run = run_show,
};

const struct cli_command cmd_config_document = {
    .name = "config document",
    .summary = "print the reference of all settings, or their JSON schema",
    .operands = "",
    .text = "Prints the reference of all settings, or their JSON schema.",
    .options = (const struct cli_option[]){{.name = "markdown",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, markdown),
                                            .help = "the reference, in Markdown (the default)"},
                                           {.name = "schema",
                                            .kind = CLI_FLAG,
                                            .at = offsetof(struct options, schema),
                                            .help = "the JSON schema of berth.yaml"},
                                           {0}},
    .examples = (const struct cli_example[]){{"berth config document --schema", NULL}, {0}},
    .run = run_document,
};
