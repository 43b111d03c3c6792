/* util/publish.c - see publish.h. */
#include "util/publish.h"

#include <stdalign.h>

#include "util/fault.h"

struct published {
    struct published *older;
    berth_arena strings;
    alignas(max_align_t) char value[];
};

static struct published *box_of(void *value)
{
    return CONTAINER_OF(value, struct published, value);
}

void *publish_new(size_t size, berth_arena **ret_strings)
{
    struct published *box = fault_hit() ? NULL : mem_zalloc(1, sizeof(*box) + size);
    if (!box)
        return NULL;
    *ret_strings = &box->strings;
    return box->value;
}

void publish_discard(void *value)
{
    struct published *box = box_of(value);
    berth_arena_done(&box->strings);
    mem_free(box);
}

void publish_put(berth_publisher *p, void *value)
{
    struct published *box = box_of(value);
    box->older = atomic_load(&p->now);
    atomic_store(&p->now, box);
}

const void *publish_now(berth_publisher *p)
{
    struct published *box = atomic_load(&p->now);
    return box ? box->value : NULL;
}

void publish_done(berth_publisher *p)
{
    for (struct published *box = atomic_exchange(&p->now, NULL), *older; box; box = older) {
        older = box->older;
        publish_discard(box->value);
    }
}
