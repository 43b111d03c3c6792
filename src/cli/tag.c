/* cli/tag.c - `berth tag list REF`. */
#include "cli/commands.h"
#include "cli/listing.h"

static int run_list(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(listing_done) struct listing l = {.remote = REMOTE_INIT, .key = "tags"};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &l.remote);
    if (rc >= 0)
        return rc;
    const char *name = l.remote.repository;
    berth_list_options pages = listing_pages(&l);
    listing_begin(&l, name);
    int r = berth_tag_list_with(l.remote.client, name, &pages, listing_add, &l, NULL, &err);
    return listing_end(c, &l, name, r, &err);
}

const struct cli_command cmd_tag_list = {
    .name = "tag list",
    .summary = "print the tags of a repository",
    .operands = "REF",
    .text = "Prints the tags of a repository, one a line, in the registry's order.",
    .options = listing_options,
    .fields = (const struct cli_field[]){{"name", "string", "the repository"},
                                         {"tags[]", "string", "its tags, in the registry's order"},
                                         {0}},
    .examples =
        (const struct cli_example[]){
            {"berth tag list localhost:5000/team/app", NULL},
            {"berth tag list docker://registry.example/team/app --output json", NULL},
            {"berth tag list registry.example/team/app --format '{{len .tags}}'", NULL},
            {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_REPOSITORY,
    .run = run_list,
};
