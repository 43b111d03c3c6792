/* cli/config.c - `berth config check|show|document`. */
#include <stdio.h>

#include "cli/cli.h"

static const char help[] =
    "usage: berth config check [FILE] [SETTING...]\n"
    "       berth config show [FILE] [SETTING...]\n"
    "       berth config document [--markdown|--schema]\n\n"
    "  check      says everything that is wrong with a configuration: file, line, reason; exit code 3\n"
    "  show       prints the whole configuration in force: defaults, file, environment, flags\n"
    "  document   prints the reference of all settings, or their JSON schema\n\n"
    "examples:\n  berth config check /etc/berth.yaml\n  BERTH_HTTP_PREFIX=/oci berth config show\n";

static int document(int argc, char **argv)
{
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(4 * MIB);
    bool schema = false;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--schema") == 0)
            schema = true;
        else if (strcmp(argv[i], "--markdown") != 0)
            return cli_usage("config", "'%s' is not understood", argv[i]);
    }
    if (schema)
        config_document_schema(&out);
    else
        config_document_markdown(&out);
    fwrite(out.p, 1, out.n, stdout);
    return berth_buf_failed(&out) ? EXIT_FAILED : EXIT_OK;
}

static void warn_of_variable(void *arg, const char *name, const char *nearest)
{
    (void)arg;
    fprintf(stderr, "warning: %s is no setting%s%s%s\n", name, *nearest ? " (did you mean " : "", nearest,
            *nearest ? "?)" : "");
}

static int check(const struct cli_settings *s)
{
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(4 * MIB);
    berth_error err = BERTH_ERROR_INIT;
    size_t n = 0;
    int r = config_check(s->path, s->flags, s->n_flags, &out, &n, &err);
    if (out.n)
        fwrite(out.p, 1, out.n, stderr);
    if (r != BERTH_OK)
        fprintf(stderr, "%s\n", err.message);
    config_unknown_variables(warn_of_variable, NULL);
    if (r != BERTH_OK || n)
        return EXIT_CONFIG;
    printf("%s: valid\n", s->path ? s->path : "defaults and environment");
    return EXIT_OK;
}

static int show(const struct cli_settings *s)
{
    CLEANUP(berth_buf_done) berth_buf out = BERTH_BUF_INIT(4 * MIB);
    struct config *c = NULL;
    berth_error err = BERTH_ERROR_INIT;
    if (config_load(s->path, s->flags, s->n_flags, &c, &err) != BERTH_OK) {
        fprintf(stderr, "%s\n", err.message);
        return EXIT_CONFIG;
    }
    int rc = config_print(c, &out, &err) == BERTH_OK ? EXIT_OK : cli_fail("config", &err);
    if (rc == EXIT_OK)
        fwrite(out.p, 1, out.n, stdout);
    config_free(c);
    return rc;
}

int cmd_config(int argc, char **argv)
{
    CLEANUP(cli_settings_done) struct cli_settings s = {.path = getenv("BERTH_CONFIG")};
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        printf("%s", help);
        return argc < 2 ? EXIT_USAGE : EXIT_OK;
    }
    bool shows = strcmp(argv[1], "show") == 0;
    if (strcmp(argv[1], "document") == 0)
        return document(argc, argv);
    if (!shows && strcmp(argv[1], "check") != 0)
        return cli_usage("config", "'%s' is not one of check, show, document", argv[1]);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            printf("%s", help);
            return EXIT_OK;
        }
        int took = cli_take_setting(&s, "config", argc, argv, &i);
        if (took < 0)
            return EXIT_USAGE;
        if (took == 0 && argv[i][0] == '-')
            return cli_usage("config", "'%s' is not an option", argv[i]);
        if (took == 0)
            s.path = argv[i];
    }
    return shows ? show(&s) : check(&s);
}
