/* cli/main.c - `berth`: finds the command and runs it. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/cli.h"
#ifdef BERTH_CLIENT
#include "cli/remote.h"
#endif

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", "run a registry", cmd_serve},
    {"gc", "remove what nothing refers to, now", cmd_gc},
    {"check", "compare every object with its digest and every row with its object", cmd_check},
    {"import", "take over a distribution, zot, olareg or OCI layout folder", cmd_import},
    {"export", "write a repository or an image as an OCI image layout", cmd_export},
    {"backup", "write a consistent copy of the registry, or bring one up to date", cmd_backup},
    {"restore", "make a registry from a backup, or bring back what it holds", cmd_restore},
    {"read-only", "refuse writes of a running server, or allow them again", cmd_read_only},
    {"reload", "let a running server read its configuration and certificates again", cmd_reload},
    {"config", "check, show or document the configuration", cmd_config},
    {"reference", "say what an image reference means, or what is wrong with it", cmd_reference},
#ifdef BERTH_CLIENT
    {"login", "keep the password for a registry, when it is right", cmd_login},
    {"logout", "forget the password for a registry", cmd_logout},
    {"ping", "ask whether a registry is there and lets us in", cmd_ping},
    {"tag", "list the tags of a repository", cmd_tag},
    {"manifest", "get a manifest, or what a registry says of it", cmd_manifest},
    {"blob", "get a blob", cmd_blob},
#endif
    {"version", "print the version", cmd_version},
    {"help", "print this", cmd_help},
};

int cli_exit_code(int code)
{
    switch (code) {
    case BERTH_OK:
        return EXIT_OK;
    case BERTH_E_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case BERTH_E_BUSY:
        return EXIT_BUSY;
    default:
        return EXIT_FAILED;
    }
}

int cli_fail(const char *command, const berth_error *err)
{
    fprintf(stderr, "berth %s: %s\n", command, err->message);
    return cli_exit_code(err->code);
}

int cli_usage(const char *command, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "berth %s: ", command);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\ntry: berth %s --help\n", command);
    return EXIT_USAGE;
}

int cli_take_output(const char *command, int argc, char **argv, int *i, bool *ret_json)
{
    const char *word = argv[*i];
    if (strcmp(word, "--output") != 0 && strncmp(word, "--output=", 9) != 0)
        return 0;
    const char *v = word[8] ? word + 9 : *i + 1 < argc ? argv[++*i] : "";
    bool json = strcmp(v, "json") == 0;
    if (!json && strcmp(v, "text") != 0) {
        cli_usage(command, "--output takes text or json");
        return -1;
    }
    *ret_json = json;
    return 1;
}

static int cmd_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("berth - an OCI registry and client in one small program\n\n"
           "usage: berth COMMAND [OPTION...]\n\ncommands:\n");
    for (size_t i = 0; i < COUNT(commands); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n`berth COMMAND --help` says more. Exit codes: 0 done, 1 failed, 2 usage, 3 configuration,\n"
           "4 not found, 5 busy, 6 problems found, 7 not allowed, 8 network, 9 wrong digest.\n");
    return EXIT_OK;
}

static int cmd_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("berth " BERTH_VERSION "\n");
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        cmd_help(argc, argv);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "berth: '%s' is not a command\ntry: berth help\n", name);
    return EXIT_USAGE;
}
