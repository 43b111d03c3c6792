/* cli/document_man.c - manual pages in mdoc(7), made of the commands' rows. */
#include <ctype.h>
#include <stdio.h>

#include "cli/document.h"

/* One line of text: what roff would act on is masked. */
static void print_text(berth_str s)
{
    if (s.n && (s.p[0] == '.' || s.p[0] == '\''))
        printf("\\&");
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\\')
            printf("\\e");
        else if (s.p[i] == '-' && i + 1 < s.n && s.p[i + 1] == '-')
            printf("\\-");
        else if (s.n - i >= 3 && memcmp(s.p + i, "\xe2\x80\xa6", 3) == 0) { /* … */
            printf("...");
            i += 2;
        } else {
            putchar(s.p[i]);
        }
}

/* Paragraphs; a sentence begins a line, as mdoc wants it. */
static void print_paragraphs(const char *text)
{
    berth_str rest = str_from(text);
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != '\n' &&
               !(rest.p[n] == ' ' && n && strchr(".!?", rest.p[n - 1]) && n + 1 < rest.n &&
                 isupper((unsigned char)rest.p[n + 1])))
            n++;
        print_text(str_head(rest, n));
        printf("\n");
        bool paragraph = n < rest.n && rest.p[n] == '\n';
        rest = str_from_offset(rest, n + 1);
        if (paragraph && rest.n && rest.p[0] == '\n') {
            printf(".Pp\n");
            rest = str_from_offset(rest, 1);
        }
    }
}

/* A word of a macro's line. */
static void print_word(berth_str s)
{
    printf("\"");
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '"')
            printf("\\(dq");
        else if (s.p[i] == '\\')
            printf("\\e");
        else
            putchar(s.p[i]);
    printf("\"");
}

static void print_operands(const struct cli_command *c)
{
    berth_str rest = str_from(c->operands), word;
    while (rest.n) {
        str_cut(rest, ' ', &word, &rest);
        bool optional = str_starts(word, STR("["));
        printf(optional ? ".Op Ar " : ".Ar ");
        print_word(optional ? str_head(str_from_offset(word, 1), word.n - 2) : word);
        printf("\n");
    }
}

static void print_option(const struct cli_option *o)
{
    printf(".It ");
    if (o->letter)
        printf("Fl %c , ", o->letter);
    printf("Fl \\-%s", o->name);
    if (o->value) {
        printf(o->kind == CLI_CHOICE ? " Cm " : " Ar ");
        print_word(str_from(o->value));
    }
    printf("\n");
    print_text(str_from(o->help));
    printf("\n");
}

/* A command's own. */
static void print_options(const struct cli_command *c)
{
    const struct cli_option *o;
    if (!document_own_option(c, 0))
        return;
    printf(".Pp\nThe options are:\n.Bl -tag -width Ds\n");
    for (size_t i = 0; (o = document_own_option(c, i)); i++)
        print_option(o);
    printf(".El\n");
}

/* Whether a command of the page takes it, and has no option of its own in its place. */
static bool is_taken(const char *page, const struct cli_option *shared)
{
    const struct cli_command *c;
    const struct cli_option *o;
    for (size_t i = 0; (c = document_member(page, i)); i++)
        for (size_t k = 0; (o = cli_option_at(c, k)); k++)
            if (o == shared)
                return true;
    return false;
}

/* Those that the commands of a page share. */
static void print_shared(const char *page)
{
    const struct cli_command any = {.takes = CLI_OUTPUT | CLI_REGISTRY};
    const struct cli_option *o;
    const char *last = "";
    for (size_t i = 0; (o = cli_shared_options(&any, i)); i++) {
        const char *title = cli_option_title(o);
        if (!title || !is_taken(page, o))
            continue;
        if (strcmp(title, last) != 0)
            printf("%s.Ss %s\n.Bl -tag -width Ds\n", *last ? ".El\n" : "", title);
        last = title;
        print_option(o);
    }
    printf("%s", *last ? ".El\n" : "");
}

static void print_fields(const struct cli_command *c)
{
    printf(".Pp\nThe JSON document has:\n.Bl -tag -width Ds\n");
    for (const struct cli_field *f = c->fields; f->path; f++) {
        printf(".It Va ");
        print_word(str_from(f->path));
        printf(" Pq ");
        print_word(str_from(f->type));
        printf("\n");
        print_text(str_from(f->meaning));
        printf("\n");
    }
    printf(".El\n");
}

static void print_row(const char *macro, const struct document_row *row)
{
    printf(".It %s ", macro);
    print_word(str_from(row->name));
    printf("\n");
    print_text(str_from(row->meaning));
    printf("\n");
}

static void print_surroundings(void)
{
    struct document_row row;
    printf(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n");
    for (size_t i = 0; document_variable(i, &row); i++)
        print_row("Ev", &row);
    printf(".El\n.Sh FILES\n.Bl -tag -width Ds\n");
    for (const struct document_row *f = document_files; f->name; f++)
        print_row("Pa", f);
    printf(".El\n");
}

void document_man_exits(void)
{
    printf(".Sh EXIT STATUS\n.Bl -tag -width 3n -compact\n");
    for (const struct cli_exit *e = cli_exits; e->meaning; e++) {
        printf(".It %d\n", e->code);
        print_text(str_from(e->meaning));
        printf("\n");
    }
    printf(".El\n");
}

static void print_examples(const char *name)
{
    const struct cli_command *c;
    printf(".Sh EXAMPLES\n");
    bool first = true;
    for (size_t i = 0; (c = document_member(name, i)); i++)
        for (const struct cli_example *e = c->examples; e->command; e++) {
            if (!first)
                printf(".Pp\n");
            first = false;
            if (e->meaning) {
                printf("%c", toupper((unsigned char)e->meaning[0]));
                print_text(str_from(e->meaning + 1));
                printf(":\n.Pp\n");
            }
            printf(".Dl ");
            print_text(str_from(e->command));
            printf("\n");
        }
}

bool document_man(const char *name)
{
    const struct cli_command *c, *first = document_member(name, 0);
    const char *summary = document_summary(name);
    if (strcmp(name, "berth") == 0)
        document_overview();
    if (!first || !document_has_page(name))
        return strcmp(name, "berth") == 0;
    printf(".\\\" made by `berth help --man %s`\n.Dd " DOCUMENT_DATE "\n.Dt BERTH-", name);
    for (const char *at = name; *at; at++)
        putchar(toupper((unsigned char)*at));
    printf(" 1\n.Os berth\n.Sh NAME\n.Nm berth-%s\n.Nd %s\n.Sh SYNOPSIS\n", name, summary);
    unsigned takes = 0;
    for (size_t i = 0; (c = document_member(name, i)); i++) {
        takes |= c->takes;
        printf("%s.Nm berth %s\n", i ? ".Pp\n" : "", c->name);
        print_operands(c);
        printf(".Op Ar option ...\n");
    }
    printf(".Sh DESCRIPTION\n");
    for (size_t i = 0; (c = document_member(name, i)); i++) {
        if (c != first || document_member(name, 1))
            printf(".Ss berth %s\n", c->name);
        print_paragraphs(c->text);
        print_options(c);
        if (c->fields)
            print_fields(c);
    }
    print_shared(name);
    if (takes & CLI_REGISTRY)
        print_surroundings();
    document_man_exits();
    print_examples(name);
    printf(".Sh SEE ALSO\n.Xr berth 1%s\n", takes & CLI_OUTPUT ? " ,\n.Xr berth-format 7" : "");
    return true;
}
