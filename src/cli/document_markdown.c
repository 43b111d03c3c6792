/* cli/document_markdown.c - docs/commands.md, made of the commands' rows. */
#include <ctype.h>
#include <stdio.h>

#include "cli/document.h"

static const char head[] =
    "<!-- Written by `berth help --markdown`, which reads the tables in src/cli: change those, then `make "
    "documents`. "
    "-->\n"
    "# Commands\n\n"
    "Every command explains itself with `--help`, and has a page for `man`. Options are `--name value` or\n"
    "`--name=value`; `--` ends them, and those that commands share may stand before the command. Errors go "
    "to standard error, one sentence each, and the exit code tells "
    "their "
    "cause.\n\n"
    "## References\n\n"
    "REF is `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, with or without `docker://` before it. Without HOST it is "
    "one of\n"
    "Docker Hub; where a tag is needed and none is given it is `latest`. `oci:PATH[:TAG]` is an image layout "
    "on disk, "
    "for\n"
    "the commands that take one. `berth reference REF` says what a reference means.\n\n"
    "## Output\n\n"
    "Text is for people, and may change. `--output json` prints one document whose fields are listed with "
    "each "
    "command;\n"
    "fields are added, never renamed. `--format TEMPLATE` prints what a template makes of that document, in "
    "the part "
    "of\n"
    "Go's template language that is known from docker, oras and regctl: see "
    "[berth-format(7)](man/berth-format.7). "
    "Names\n"
    "of fields are found in any case, so `{{.Digest}}` is `{{.digest}}`, and `\\n` and `\\t` in the template "
    "are what "
    "they\n"
    "look like.\n\n"
    "    berth tag list registry.example/team/app --format '{{range .tags}}{{.}}\\n{{end}}'\n"
    "    berth manifest head registry.example/team/app:v1 --format '{{.digest}} {{printf \"%9d\" .size}}'\n\n"
    "`-` as a file is standard input or output. Binary content is not written to a terminal. When who reads "
    "the "
    "output\n"
    "has seen enough (`| head`), a command ends without a word.\n\n"
    "## Progress\n\n"
    "Transfers show bars on a terminal. Elsewhere, as in CI, there is a line every five seconds with bytes, "
    "rate and "
    "the\n"
    "time that is left. Both go to standard error. `--no-progress` asks for lines on a terminal too, "
    "`--quiet` for "
    "nothing;\n"
    "`NO_COLOR` is honoured. After Ctrl-C no file has its name that is not whole.\n\n";

static void print_exits(void)
{
    printf("## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (const struct cli_exit *e = cli_exits; e->meaning; e++)
        printf("| %d | %s |\n", e->code, e->meaning);
    printf("\n");
}

static void print_surroundings(void)
{
    struct document_row row;
    printf("## Environment\n\n| name | meaning |\n|---|---|\n");
    for (size_t i = 0; document_variable(i, &row); i++)
        printf("| `%s` | %s |\n", row.name, row.meaning);
    printf("\n## Files\n\n| name | meaning |\n|---|---|\n");
    for (const struct document_row *f = document_files; f->name; f++)
        printf("| `%s` | %s |\n", f->name, f->meaning);
    printf("\n");
}

/* A cell of a table: '|' would end it. */
static void print_cell(const char *text)
{
    for (const char *at = text; *at; at++)
        printf("%s%c", *at == '|' ? "\\" : "", *at);
}

static void print_option(const struct cli_option *o)
{
    printf("| `");
    if (o->letter)
        printf("-%c, ", o->letter);
    printf("--%s", o->name);
    if (o->value) {
        putchar(' ');
        print_cell(o->value);
    }
    printf("` | ");
    print_cell(o->help);
    printf(" |\n");
}

/* "reaching-the-registry": where the heading @title is found. */
static void print_anchor(const char *title)
{
    for (const char *at = title; *at; at++)
        putchar(*at == ' ' ? '-' : tolower((unsigned char)*at));
}

/* A command's own options; those that it shares are named where they are described. */
static void print_options(const struct cli_command *c)
{
    const struct cli_option *o;
    const char *last = NULL;
    const bool any = document_own_option(c, 0);
    if (any)
        printf("| option | meaning |\n|---|---|\n");
    for (size_t i = 0; (o = document_own_option(c, i)); i++)
        print_option(o);
    printf("%s", any ? "\n" : "");
    for (size_t i = 0; (o = cli_option_at(c, i)); i++) {
        const char *title = cli_option_title(o);
        if (!title || (last && strcmp(title, last) == 0))
            continue;
        printf("%s[%s](#", last ? ", " : any ? "Also the options of: " : "The options of: ", title);
        print_anchor(title);
        printf(")");
        last = title;
    }
    printf("%s", last ? ".\n\n" : "");
    printf("%s", c->takes & CLI_EVERY_SETTING ? "And a flag for every [setting](configuration.md).\n\n" : "");
}

static void print_command(const struct cli_command *c, bool in_family)
{
    printf("%s berth %s\n\n    berth %s%s%s [OPTION...]\n\n", in_family ? "###" : "##", c->name, c->name,
           *c->operands ? " " : "", c->operands);
    printf("%s\n\n", c->text);
    print_options(c);
    if (c->fields)
        printf("| field | type | meaning |\n|---|---|---|\n");
    for (const struct cli_field *f = c->fields; f && f->path; f++) {
        printf("| `%s` | %s | ", f->path, f->type);
        print_cell(f->meaning);
        printf(" |\n");
    }
    printf("%s", c->fields ? "\n" : "");
    for (const struct cli_example *e = c->examples; e->command; e++)
        printf("    %s%s%s\n", e->command, e->meaning ? "    # " : "", e->meaning ? e->meaning : "");
    printf("\n");
}

/* The options of many commands, said once. */
static void print_shared(void)
{
    const struct cli_command all = {.takes = CLI_OUTPUT | CLI_REGISTRY};
    const struct cli_option *o;
    const char *last = "";
    printf("## Options of many commands\n\nEach command says which of these it takes.\n\n");
    for (size_t i = 0; (o = cli_shared_options(&all, i)); i++) {
        const char *title = cli_option_title(o);
        if (!title)
            continue;
        if (strcmp(title, last) != 0)
            printf("%s### %s\n\n| option | meaning |\n|---|---|\n", *last ? "\n" : "", title);
        last = title;
        print_option(o);
    }
    printf("\n");
}

void document_markdown(void)
{
    const struct cli_command *c;
    const char *page;
    printf("%s", head);
    print_exits();
    print_surroundings();
    print_shared();
    for (size_t i = 0; (page = document_page(i)); i++) {
        bool family = cli_find_family(page);
        if (family)
            printf("## berth %s\n\nberth %s - %s\n\n", page, page, document_summary(page));
        for (size_t k = 0; (c = document_member(page, k)); k++)
            print_command(c, family);
    }
}
