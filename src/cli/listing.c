/* cli/listing.c - see listing.h. */
#include "cli/listing.h"

#include <stdio.h>

const struct cli_option listing_options[] = {
    {.name = "page-size",
     .kind = CLI_NUMBER,
     .value = "N",
     .max = 1000000,
     .at = offsetof(struct listing, page_size),
     .help = "ask for so many at once; a registry may give fewer (1000)"},
    {.name = "last",
     .kind = CLI_TEXT,
     .value = "NAME",
     .at = offsetof(struct listing, last),
     .help = "begin behind this one"},
    {.name = "one-page",
     .kind = CLI_FLAG,
     .at = offsetof(struct listing, one_page),
     .help = "print the first page alone"},
    {0},
};

void listing_done(struct listing *l)
{
    json_decref(l->all);
    remote_done(&l->remote);
}

berth_list_options listing_pages(const struct listing *l)
{
    berth_list_options o = BERTH_LIST_OPTIONS_INIT;
    o.page_size = (unsigned)l->page_size;
    o.one_page = l->one_page;
    o.last = l->last;
    return o;
}

void listing_begin(struct listing *l, const char *name)
{
    const struct cli_base *b = &l->remote.base;
    l->name = name;
    l->json = !cli_wants_text(b);
    l->all = b->format ? json_array() : NULL;
}

/* Of a list that fails before its first name nothing is printed. */
static void print_head(const struct listing *l)
{
    printf("{\n");
    if (l->name)
        printf("  \"name\": \"%s\",\n", l->name);
    printf("  \"%s\": [", l->key);
}

/* The grammars of names and tags have nothing that JSON would have to escape. */
int listing_add(void *listing, const char *name)
{
    struct listing *l = listing;
    if (l->all)
        return json_array_append_new(l->all, json_string(name));
    if (l->json && !l->n)
        print_head(l);
    if (l->json)
        printf("%s\n    \"%s\"", l->n ? "," : "", name);
    else
        printf("%s\n", name);
    l->n++;
    return ferror(stdout);
}

int listing_end(const struct cli_command *c, struct listing *l, int r, const berth_error *err)
{
    const struct cli_base *b = &l->remote.base;
    if (l->all && r == BERTH_OK)
        return cli_print(c, b,
                         l->name ? json_pack("{s:s, s:O}", "name", l->name, l->key, l->all)
                                 : json_pack("{s:O}", l->key, l->all));
    if (l->json && !l->all && r == BERTH_OK && !l->n)
        print_head(l);
    if (l->json && !l->all && r == BERTH_OK) /* without its end nobody takes a part for the whole */
        printf("%s]\n}\n", l->n ? "\n  " : "");
    int rc = cli_printed(c);
    return r == BERTH_OK || rc != EXIT_OK ? rc : remote_fail(c, err);
}
