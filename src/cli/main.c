/* cli/main.c - `berth`: finds the command and runs it; `berth help` and `berth version`. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/document.h"

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

/* --- help and version --- */

/* What stands before the first of those that belong together. */
static const struct {
    const struct cli_command *first;
    const char *title;
} chapters[] = {
    {&cmd_serve, "a registry of your own"},
    {&cmd_reference, "any registry"},
    {&cmd_completion, "the program itself"},
};

/* Commands that stand alone, and families, each once, in the order of the list. */
static void list_commands(void)
{
    const struct cli_family *last = NULL;
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_family *family = cli_family_of(cli_commands[i]);
        for (size_t k = 0; k < COUNT(chapters); k++)
            if (chapters[k].first == cli_commands[i])
                printf("\n%s:\n", chapters[k].title);
        if (family ? family != last : true)
            printf("  %-10s %s\n", family ? family->name : cli_commands[i]->name,
                   family ? family->summary : cli_commands[i]->summary);
        last = family;
    }
}

static void print_overview(void)
{
    printf("berth - an OCI registry and client in one small program\n\n"
           "usage: berth COMMAND [OPTION...]\n");
    list_commands();
    printf("\n`berth COMMAND --help` says more.\n\nexit codes:\n");
    for (const struct cli_exit *e = cli_exits; e->meaning; e++)
        printf("  %-3d %s\n", e->code, e->meaning);
}

static int unknown_command(const char *prefix, const char *word)
{
    const char *names[256];
    size_t n = 0;
    for (size_t i = 0; cli_commands[i] && n < COUNT(names); i++) {
        const struct cli_family *family = cli_family_of(cli_commands[i]);
        berth_str name = str_from(cli_commands[i]->name);
        if (*prefix && family && strcmp(family->name, prefix) == 0)
            names[n++] = str_from_offset(name, strlen(prefix) + 1).p;
        else if (!*prefix)
            names[n++] = family ? family->name : name.p;
    }
    const char *nearest = cli_nearest(word, names, n);
    cli_say(prefix, "'%s' is not %s%s%s%s", word, *prefix ? "one of its commands" : "a command",
            nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    fprintf(stderr, "try: berth %s%s\n", *prefix ? prefix : "help", *prefix ? " --help" : "");
    return EXIT_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* `berth help`, `berth help tag`, `berth help tag list`. */
static int help_about(int argc, const char *const *argv)
{
    int words;
    const struct cli_command *c = cli_find(argc, argv, &words);
    const struct cli_family *family = argc ? cli_find_family(argv[0]) : NULL;
    if (c)
        cli_help(c);
    else if (family && argc > 1)
        return unknown_command(argv[0], argv[1]);
    else if (family)
        cli_family_help(family);
    else if (argc)
        return unknown_command("", argv[0]);
    else
        print_overview();
    return EXIT_OK;
}

struct help_options {
    struct cli_base base;
    bool man, markdown;
};

static const struct cli_option help_options[] = {
    {.name = "man",
     .kind = CLI_FLAG,
     .at = offsetof(struct help_options, man),
     .help = "as a manual page, for man(1) to read"},
    {.name = "markdown",
     .kind = CLI_FLAG,
     .at = offsetof(struct help_options, markdown),
     .help = "all commands, as docs/commands.md"},
    {0},
};

static int run_help(const struct cli_command *c, int argc, char **argv)
{
    struct help_options o = {0};
    CLEANUP(cli_base_donep) struct cli_base *b = &o.base;
    int rc = cli_read(c, argc, argv, b);
    if (rc >= 0)
        return rc;
    if (o.markdown) {
        document_markdown();
        return cli_printed(c);
    }
    int n = (int)b->n_operands;
    if (!o.man) {
        rc = help_about(n, b->operands);
        return rc == EXIT_OK ? cli_printed(c) : rc;
    }
    const char *page = n == 1 ? b->operands[0] : "";
    if (strncmp(page, "berth-", 6) == 0)
        page += 6;
    if (!document_man(page))
        return cli_usage(c->name, "--man is for one command or family that has a page, or for berth");
    return cli_printed(c);
}

const struct cli_command cmd_help = {
    .name = "help",
    .summary = "print this, or the help of a command",
    .operands = "[COMMAND...]",
    .text = "Prints the list of commands, or what COMMAND does, as its --help does.",
    .options = help_options,
    .examples = (const struct cli_example[]){{"berth help", NULL}, {"berth help tag list", NULL}, {0}},
    .run = run_help,
};

static int run_version(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(cli_base_done) struct cli_base b = {0};
    int rc = cli_read(c, argc, argv, &b);
    if (rc >= 0)
        return rc;
    return cli_tell(c, &b, json_pack("{s:s}", "version", BERTH_VERSION), "berth " BERTH_VERSION "\n");
}

const struct cli_command cmd_version = {
    .name = "version",
    .summary = "print the version",
    .operands = "",
    .text = "Prints the version of berth, as --version does.",
    .fields = (const struct cli_field[]){{"version", "string", "such as 0.1.0"}, {0}},
    .examples = (const struct cli_example[]){{"berth version", NULL}, {0}},
    .takes = CLI_OUTPUT,
    .run = run_version,
};

/* How many words before the command are options that commands share, with their values. */
static int options_before(int argc, char **argv)
{
    static const struct cli_command any = {.takes = ~0U};
    int n = 0;
    while (n < argc && argv[n][0] == '-') {
        const struct cli_option *o;
        berth_str word = str_from(argv[n]), name, value;
        bool attached = str_cut(word, '=', &name, &value);
        for (size_t i = 0; (o = cli_shared_options(&any, i)); i++)
            if (str_starts(name, STR("--")) ? str_eq(str_from_offset(name, 2), str_from(o->name))
                                            : name.n == 2 && o->letter && name.p[1] == o->letter)
                break;
        if (!o)
            break;
        n += o->value && !attached ? 2 : 1;
    }
    return MIN(n, argc);
}

/* Puts @n words behind the @words that follow them. */
static void put_behind(char **argv, int n, int words)
{
    for (int i = 0; i < words; i++) {
        char *word = argv[n + i];
        memmove(argv + i + 1, argv + i, (size_t)n * sizeof(*argv));
        argv[i] = word;
    }
}

int main(int argc, char **argv)
{
    cli_hide_arguments(argv);
    if (argc < 2) {
        print_overview();
        return EXIT_USAGE;
    }
    if (is_help(argv[1]))
        argv[1] = (char *)(uintptr_t)cmd_help.name;
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = (char *)(uintptr_t)cmd_version.name;
    int words;
    int before = options_before(argc - 1, argv + 1);
    const struct cli_command *c =
        cli_find(argc - 1 - before, (const char *const *)(argv + 1 + before), &words);
    if (c)
        put_behind(argv + 1, before, words);
    else if (before < argc - 1) { /* what is wrong is what stands behind them */
        argc -= before;
        argv += before;
    }
    if (c)
        return c->run(c, argc - words, argv + words);
    const struct cli_family *family = cli_find_family(argv[1]);
    if (!family)
        return unknown_command("", argv[1]);
    if (argc > 2 && !is_help(argv[2]))
        return unknown_command(family->name, argv[2]);
    cli_family_help(family);
    int rc = cli_printed(&cmd_help);
    return argc > 2 ? rc : EXIT_USAGE;
}
