/* cli/listing.h - lists of names are printed as they come: memory does not grow with their number, unless a
 * template wants them all at once. */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "cli/remote.h"

struct listing {
    struct remote remote;
    uint64_t page_size;
    bool one_page;
    const char *last;
    const char *key;  /* "tags" */
    const char *name; /* what the document has under "name"; NULL: nothing */
    bool json;
    json_t *all; /* for a template; else NULL */
    size_t n;
};

extern const struct cli_option listing_options[]; /* of a command whose state is a struct listing */

void listing_done(struct listing *l);
berth_list_options listing_pages(const struct listing *l);

/* Before the first name, for each, and after the last: @r is how the call has ended. */
void listing_begin(struct listing *l, const char *name);
int listing_add(void *listing, const char *name);
int listing_end(const struct cli_command *c, struct listing *l, int r, const berth_error *err);

#endif
