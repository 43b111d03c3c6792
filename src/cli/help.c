/* cli/help.c - what --help prints, made from a command's row. */
#include <ctype.h>
#include <stdio.h>

#include "cli/command.h"

#define WIDTH  100 /* of the text; terminals that are narrower fold it themselves */
#define COLUMN 24  /* where the meaning of an option starts */

/* Prints @text in lines of at most WIDTH bytes, each but the first behind @indent blanks; the first begins at
 * @column. */
static void print_folded(berth_str text, size_t indent, size_t column)
{
    while (text.n) {
        size_t room = WIDTH > column ? WIDTH - column : 1, end = 0, stop = 0;
        for (; end < text.n && text.p[end] != '\n' && end <= room; end++)
            if (text.p[end] == ' ')
                stop = end;
        if (end == text.n || text.p[end] == '\n' || stop == 0)
            for (stop = end; stop < text.n && text.p[stop] != ' ' && text.p[stop] != '\n';)
                stop++;
        printf(STR_FMT "\n", STR_ARG(str_head(text, stop)));
        text = str_from_offset(text, stop + 1);
        column = indent;
        if (text.n && text.p[0] != '\n')
            printf("%*s", (int)indent, "");
    }
}

static void print_option(const struct cli_option *o)
{
    char letter[] = {'-', o->letter, ',', ' ', '\0'};
    int n = printf("  %s--%s%s%s", o->letter ? letter : "    ", o->name, o->value ? " " : "",
                   o->value ? o->value : "");
    size_t column = n > 0 ? (size_t)n : 0;
    if (column + 2 > COLUMN)
        printf("\n%*s", COLUMN, "");
    else
        printf("%*s", (int)(COLUMN - column), "");
    print_folded(str_from(o->help), COLUMN, COLUMN);
}

/* The command's own first: what all commands on registries share is long. */
static void print_options(const struct cli_command *c)
{
    const struct cli_option *o;
    const char *last = NULL;
    printf("\noptions:\n");
    for (size_t i = 0; (o = cli_option_at(c, i)); i++) {
        const char *title = cli_option_title(o);
        if (title && (!last || strcmp(title, last) != 0))
            printf("\n%c%s:\n", tolower((unsigned char)title[0]), title + 1);
        last = title;
        print_option(o);
    }
}

static void print_settings(void)
{
    CLEANUP(berth_buf_done) berth_buf flags = BERTH_BUF_INIT(1 * MIB);
    config_document_flags(&flags);
    printf("\nevery setting has a flag; lists take a flag per entry:\n" STR_FMT,
           STR_ARG(berth_buf_str(&flags)));
}

void cli_help(const struct cli_command *c)
{
    printf("usage: berth %s %s%s[OPTION...]\n\n", c->name, c->operands, *c->operands ? " " : "");
    print_folded(str_from(c->text), 0, 0);
    print_options(c);
    if (c->takes & CLI_EVERY_SETTING)
        print_settings();
    if (c->fields)
        printf("\nfields of the JSON document, for --output json and --format:\n");
    for (const struct cli_field *f = c->fields; f && f->path; f++) {
        int n = printf("  %s", f->path);
        printf("%*s", n > 0 && n + 2 <= COLUMN ? COLUMN - n : 2, "");
        print_folded(str_from(f->meaning), COLUMN, MAX(COLUMN, n > 0 ? (size_t)n + 2 : 0));
    }
    printf("\nexample%s:\n", c->examples[1].command ? "s" : "");
    for (const struct cli_example *e = c->examples; e->command; e++) {
        if (e->meaning)
            printf("  # %s\n", e->meaning);
        printf("  %s\n", e->command);
    }
}

void cli_family_help(const struct cli_family *f)
{
    printf("usage: berth %s COMMAND [OPTION...]\n\nberth %s - %s\n\ncommands:\n", f->name, f->name,
           f->summary);
    for (size_t i = 0; cli_commands[i]; i++)
        if (cli_family_of(cli_commands[i]) == f)
            printf("  %-10s %s\n", cli_commands[i]->name + strlen(f->name) + 1, cli_commands[i]->summary);
    printf("\nexamples:\n");
    for (size_t i = 0; cli_commands[i]; i++)
        if (cli_family_of(cli_commands[i]) == f)
            printf("  %s\n", cli_commands[i]->examples[0].command);
    printf("\n`berth %s COMMAND --help` says more.\n", f->name);
}
