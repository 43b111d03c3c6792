/* cli/tag.c - `berth tag list REF`. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/place.h"

static int add(void *tags, const char *tag)
{
    return json_array_append_new(tags, json_string(tag));
}

/* Names in a layout may be any text. */
static int print(const struct cli_command *c, const struct cli_base *b, const char *name, json_t *tags)
{
    const json_t *tag;
    size_t i;
    if (!cli_wants_text(b))
        return cli_print(c, b, json_pack("{s:s, s:O}", "name", name, "tags", tags));
    json_array_foreach(tags, i, tag)
    {
        place_print(json_string_value(tag));
        printf("\n");
    }
    return cli_printed(c);
}

static int list_layout(const struct cli_command *c, struct listing *l)
{
    CLEANUP(place_done) struct place p = PLACE_INIT;
    berth_error err = BERTH_ERROR_INIT;
    if (l->page_size || l->last || l->one_page)
        return cli_usage(c->name, "an image layout has no pages: no --page-size, --last, --one-page");
    json_t *tags = json_array();
    int r = place_open_first(&l->remote, false, &p, &err);
    if (r == BERTH_OK)
        r = p.c->ops->tags(p.c, add, tags, &err);
    int rc = r == BERTH_OK ? print(c, &l->remote.base, p.name, tags) : remote_fail(c, &err);
    json_decref(tags);
    return rc;
}

static int run_list(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(listing_done) struct listing l = {.remote = REMOTE_INIT, .key = "tags"};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &l.remote);
    if (rc >= 0)
        return rc;
    if (l.remote.layout)
        return list_layout(c, &l);
    const char *name = l.remote.repository;
    berth_list_options pages = listing_pages(&l);
    listing_begin(&l, name);
    int r = berth_tag_list_with(l.remote.client, name, &pages, listing_add, &l, NULL, &err);
    return listing_end(c, &l, r, &err);
}

const struct cli_command cmd_tag_list = {
    .name = "tag list",
    .summary = "print the tags of a repository",
    .operands = "REF",
    .text =
        "Prints the tags of a repository, one a line, in the registry's order. REF may be oci:PATH, an image "
        "layout on disk.",
    .options = listing_options,
    .fields = (const struct cli_field[]){{"name", "string", "the repository or layout"},
                                         {"tags[]", "string", "its tags, in the registry's order"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth tag list localhost:5000/team/app", NULL},
            {"berth tag list docker://registry.example/team/app --output json", NULL},
            {"berth tag list registry.example/team/app --format '{{len .tags}}'", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT | CLI_LAYOUT,
    .operand = CLI_OPERAND_REPOSITORY,
    .run = run_list,
};
