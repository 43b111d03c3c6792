/* content/layout_verify.c - whether an image layout has all that its index leads to; see berth/layout.h.
 *
 * What is to be read stands in a list that grows at its end: however deep a stranger nests his indexes, there
 * is no recursion, and each digest is read once. */
#include <search.h>

#include "content/layout_private.h"
#include "util/fault.h"

struct item {
    berth_digest digest;
    uint64_t size;
    bool manifest;
    const char *media_type; /* of a manifest, as it was announced */
};

struct check {
    berth_layout *layout;
    berth_layout_problem_fn fn;
    void *arg;
    berth_arena arena;
    struct item **items;
    size_t n, room;
    void *seen; /* a tree of the items by their digests */
    size_t problems;
    berth_error first;
};

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return strcmp(x->digest.text, y->digest.text);
}

static void keep_item(void *item)
{
    (void)item; /* its arena frees it */
}

static void check_done(struct check *c)
{
    tdestroy(c->seen, keep_item);
    mem_free(c->items);
    berth_arena_done(&c->arena);
}

/* What ends the reading is no finding. */
static bool is_problem(int code)
{
    return code != BERTH_E_NOMEM && code != BERTH_E_IO && code != BERTH_E_CANCELLED;
}

static int tell(struct check *c, const char *digest, const berth_error *why, berth_error *err)
{
    if (!is_problem(why->code))
        return berth_error_set(err, why->code, "%s", why->message);
    if (c->problems++ == 0)
        c->first = *why;
    return c->fn && c->fn(c->arg, digest, why) != 0 ? berth_error_set(err, BERTH_E_CANCELLED, "cancelled")
                                                    : BERTH_OK;
}

/* --- the list --- */

static int append(struct check *c, struct item *item, berth_error *err)
{
    struct item **found = fault_hit() ? NULL : tsearch(item, &c->seen, compare);
    if (!found)
        return no_memory(err);
    if (*found != item)
        return BERTH_OK;
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 64;
        struct item **more = fault_hit() ? NULL : mem_realloc(c->items, room * sizeof(*more));
        if (!more)
            return no_memory(err);
        c->items = more;
        c->room = room;
    }
    c->items[c->n++] = item;
    return BERTH_OK;
}

static int add(struct check *c, const berth_descriptor *d, bool manifest, berth_error *err)
{
    struct item *item = berth_arena_alloc(&c->arena, sizeof(*item));
    berth_error why = BERTH_ERROR_INIT;
    if (!item)
        return no_memory(err);
    if (digest_parse(str_from(d->digest), &item->digest, &why) != BERTH_OK)
        return tell(c, d->digest, &why, err);
    item->size = d->size;
    item->manifest = manifest;
    item->media_type =
        d->media_type && *d->media_type ? berth_arena_dup(&c->arena, str_from(d->media_type)) : NULL;
    return append(c, item, err);
}

static int add_all(struct check *c, const berth_manifest *m, berth_error *err)
{
    int r = m->config ? add(c, m->config, false, err) : BERTH_OK;
    for (size_t i = 0; r == BERTH_OK && i < m->n_layers; i++)
        if (m->layers[i].n_urls == 0) /* what lives elsewhere may be absent */
            r = add(c, &m->layers[i], false, err);
    for (size_t i = 0; r == BERTH_OK && i < m->n_manifests; i++)
        r = add(c, &m->manifests[i], berth_media_type_kind(m->manifests[i].media_type) != BERTH_KIND_NONE,
                err);
    return r;
}

struct entries {
    struct check *c;
    berth_error *err;
    int result;
};

static int on_entry(void *arg, const char *name, const berth_descriptor *d)
{
    struct entries *e = arg;
    (void)name;
    e->result =
        add(e->c, d, berth_media_type_kind(d->media_type) != BERTH_KIND_NONE || !*d->media_type, e->err);
    return e->result;
}

/* --- one after the other --- */

static int ignore(void *arg, const void *p, size_t n)
{
    (void)arg, (void)p, (void)n;
    return 0;
}

static int check_item(struct check *c, const struct item *item, berth_error *err)
{
    berth_error why = BERTH_ERROR_INIT;
    berth_manifest *m = NULL;
    uint64_t size = 0;
    int r = berth_layout_blob_size(c->layout, item->digest.text, &size, &why);
    if (r == BERTH_OK && size != item->size)
        r = berth_error_set(&why, BERTH_E_DIGEST, "%.20s... has %llu bytes, and %llu are said",
                            item->digest.text, (unsigned long long)size, (unsigned long long)item->size);
    if (r == BERTH_OK)
        r = item->manifest ? layout_read_manifest(c->layout, &item->digest, item->media_type, &m, &why)
                           : berth_layout_blob_get(c->layout, item->digest.text, ignore, NULL, &why);
    if (r != BERTH_OK)
        return tell(c, item->digest.text, &why, err);
    r = m ? add_all(c, m, err) : BERTH_OK;
    berth_manifest_free(m);
    return r;
}

int berth_layout_verify(berth_layout *layout, berth_layout_problem_fn fn, void *arg, berth_error *err)
{
    CLEANUP(check_done) struct check c = {.layout = layout, .fn = fn, .arg = arg};
    berth_error why = BERTH_ERROR_INIT;
    struct entries e = {.c = &c, .err = err};
    int r = berth_layout_list(layout, on_entry, &e, &why);
    if (e.result != BERTH_OK)
        return e.result;
    if (r != BERTH_OK)
        r = tell(&c, NULL, &why, err);
    for (size_t i = 0; r == BERTH_OK && i < c.n; i++)
        r = check_item(&c, c.items[i], err);
    if (r == BERTH_OK && c.problems)
        r = berth_error_set(err, BERTH_E_CORRUPT, "%s%s", c.first.message,
                            c.problems > 1 ? ", and more is wrong" : "");
    return r;
}
