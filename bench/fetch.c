/* bench/fetch.c - GET and HEAD of the paths given, in turn. HEAD is here because wrk waits for a body. */
#include "modes.h"

static void request(struct load *l, struct load_client *c)
{
    c->head = l->ops == &mode_head;
    load_head(l, c, c->head ? "HEAD" : "GET", l->o->paths[c->operation % l->o->n_paths], NULL, 0);
}

static enum load_verdict answer(struct load *l, struct load_client *c)
{
    (void)l;
    return c->status == 200 ? LOAD_DONE : LOAD_FAILED;
}

const struct load_ops mode_get = {.name = "get", .request = request, .answer = answer};
const struct load_ops mode_head = {.name = "head", .request = request, .answer = answer};
