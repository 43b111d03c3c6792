/* cli/catalog.c - `berth catalog HOST`. */
#include "cli/commands.h"
#include "cli/listing.h"

static int run(const struct cli_command *c, int argc, char **argv)
{
    CLEANUP(listing_done) struct listing l = {.remote = REMOTE_INIT, .key = "repositories"};
    berth_error err = BERTH_ERROR_INIT;
    int rc = remote_open(c, argc, argv, &l.remote);
    if (rc >= 0)
        return rc;
    berth_list_options pages = listing_pages(&l);
    listing_begin(&l, NULL);
    int r = berth_catalog(l.remote.client, &pages, listing_add, &l, NULL, &err);
    return listing_end(c, &l, r, &err);
}

const struct cli_command cmd_catalog = {
    .name = "catalog",
    .summary = "print the repositories of a registry",
    .operands = "HOST",
    .text = "Prints the repositories of a registry, one a line. Many registries, Docker Hub among them, show "
            "no such list, or only to administrators.",
    .options = listing_options,
    .fields =
        (const struct cli_field[]){{"repositories[]", "string", "their names, in the registry's order"}, {0}},
    .examples = (const struct cli_example[]){{"berth catalog localhost:5000", NULL},
                                             {"berth catalog registry.example --output json", NULL},
                                             {0}},
    .takes = CLI_REGISTRY | CLI_OUTPUT,
    .operand = CLI_OPERAND_HOST,
    .run = run,
};
