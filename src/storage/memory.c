/* storage/memory.c - objects in memory: for tests, and for a registry that forgets. One lock over everything;
 * an object lives as long as a reader, a writer or the table holds it. */
#include "storage/store.h"

#include <pthread.h>

#include "util/fault.h"
#include "util/io.h"

typedef struct mem_object {
    struct mem_object *next; /* in its bucket */
    char key[IO_KEY_SIZE];
    char *p;
    size_t n, cap;
    char *digest; /* NULL while incomplete */
    unsigned refs;
} mem_object;

typedef struct mem_store {
    blob_store base;
    pthread_mutex_t lock;
    mem_object **buckets;
    size_t n_buckets, n_objects;
} mem_store;

typedef struct mem_writer {
    blob_writer base;
    mem_object *object;
} mem_writer;

typedef struct mem_reader {
    blob_reader base;
    mem_object *object;
    uint64_t size;
} mem_reader;

static mem_store *mem_of(blob_store *s)
{
    return (mem_store *)s;
}

static int no_memory(berth_error *err)
{
    return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
}

static void *alloc(size_t n)
{
    return fault_hit() ? NULL : mem_zalloc(1, n);
}

static void unref(mem_object *o)
{
    if (--o->refs > 0)
        return;
    mem_free(o->digest);
    mem_free(o->p);
    mem_free(o);
}

/* Where the object of @key is linked, or would be. Keys are random: their first digits are the hash. */
static mem_object **find(mem_store *m, const char *key)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < 8; i++)
        hash = hash << 4 | (uint32_t)(key[i] <= '9' ? key[i] - '0' : key[i] - 'a' + 10);
    mem_object **at = &m->buckets[hash & (m->n_buckets - 1)];
    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    return at;
}

/* Twice the buckets; without memory the chains grow longer instead. */
static void widen(mem_store *m)
{
    mem_object **old = m->buckets, **buckets = alloc(2 * m->n_buckets * sizeof(mem_object *));
    if (!buckets)
        return;
    size_t n = m->n_buckets;
    m->buckets = buckets;
    m->n_buckets = 2 * n;
    for (size_t i = 0; i < n; i++)
        for (mem_object *o = old[i], *next; o; o = next) {
            next = o->next;
            o->next = NULL;
            *find(m, o->key) = o;
        }
    mem_free(old);
}

static int mem_create(blob_store *s, const char *key, blob_writer **ret_w, berth_error *err)
{
    mem_store *m = mem_of(s);
    CLEANUP(freep) mem_writer *w = alloc(sizeof(*w));
    CLEANUP(freep) mem_object *o = alloc(sizeof(*o));
    if (!w || !o)
        return no_memory(err);
    pthread_mutex_lock(&m->lock);
    if (m->n_objects >= m->n_buckets)
        widen(m);
    mem_object **at = find(m, key);
    if (*at) {
        pthread_mutex_unlock(&m->lock);
        return berth_error_set(err, BERTH_E_EXISTS, "object %s exists", key);
    }
    memcpy(o->key, key, IO_KEY_SIZE);
    o->refs = 2; /* the table and the writer */
    w->base.store = s;
    w->object = o;
    *at = steal(&o);
    m->n_objects++;
    pthread_mutex_unlock(&m->lock);
    *ret_w = &steal(&w)->base;
    return BERTH_OK;
}

static int mem_resume(blob_store *s, const char *key, uint64_t size, blob_writer **ret_w, berth_error *err)
{
    mem_store *m = mem_of(s);
    CLEANUP(freep) mem_writer *w = alloc(sizeof(*w));
    if (!w)
        return no_memory(err);
    int r = BERTH_OK;
    pthread_mutex_lock(&m->lock);
    mem_object *o = *find(m, key);
    if (!o) {
        r = berth_error_set(err, BERTH_E_NOT_FOUND, "no such object");
    } else if (o->n < size) {
        r = berth_error_set(err, BERTH_E_CORRUPT, "object %s has fewer bytes than were recorded", key);
    } else {
        mem_free(o->digest);
        o->digest = NULL;
        o->n = (size_t)size;
        o->refs++;
        w->base.store = s;
        w->object = o;
    }
    pthread_mutex_unlock(&m->lock);
    if (r == BERTH_OK)
        *ret_w = &steal(&w)->base;
    return r;
}

static bool grow(mem_object *o, size_t n)
{
    if (n > SIZE_MAX / 2 - o->n)
        return false;
    if (o->n + n <= o->cap)
        return true;
    size_t cap = MAX(o->n + n, o->cap * 2);
    char *p = fault_hit() ? NULL : mem_realloc(o->p, cap);
    if (!p)
        return false;
    o->p = p;
    o->cap = cap;
    return true;
}

static int mem_append(blob_writer *bw, const void *p, size_t n, berth_error *err)
{
    mem_object *o = ((mem_writer *)bw)->object;
    mem_store *m = mem_of(bw->store);
    pthread_mutex_lock(&m->lock);
    bool ok = grow(o, n);
    if (ok) {
        memcpy(o->p + o->n, p, n);
        o->n += n;
    }
    pthread_mutex_unlock(&m->lock);
    return ok ? BERTH_OK : no_memory(err);
}

static void mem_abandon(blob_writer *bw)
{
    mem_writer *w = (mem_writer *)bw;
    mem_store *m = mem_of(bw->store);
    pthread_mutex_lock(&m->lock);
    unref(w->object);
    pthread_mutex_unlock(&m->lock);
    mem_free(w);
}

static int mem_complete(blob_writer *bw, const char *digest, berth_error *err)
{
    mem_object *o = ((mem_writer *)bw)->object;
    mem_store *m = mem_of(bw->store);
    char *copy = str_dup(str_from(digest));
    pthread_mutex_lock(&m->lock);
    o->digest = copy;
    pthread_mutex_unlock(&m->lock);
    mem_abandon(bw);
    return copy ? BERTH_OK : no_memory(err);
}

static int mem_suspend(blob_writer *bw, berth_error *err)
{
    (void)err;
    mem_abandon(bw);
    return BERTH_OK;
}

static int mem_open(blob_store *s, const char *key, blob_reader **ret_r, berth_error *err)
{
    mem_store *m = mem_of(s);
    CLEANUP(freep) mem_reader *r = fault_hit() ? NULL : mem_zalloc(1, sizeof(*r));
    if (!r)
        return no_memory(err);
    pthread_mutex_lock(&m->lock);
    mem_object *o = *find(m, key);
    bool whole = o && o->digest;
    if (whole) {
        o->refs++;
        *r = (mem_reader){{s}, o, o->n};
    }
    pthread_mutex_unlock(&m->lock);
    if (!whole)
        return berth_error_set(err, BERTH_E_NOT_FOUND, "no such object");
    *ret_r = &steal(&r)->base;
    return BERTH_OK;
}

static uint64_t mem_size(blob_reader *r)
{
    return ((mem_reader *)r)->size;
}

static int mem_read(blob_reader *r, uint64_t offset, void *p, size_t n, size_t *ret_n, berth_error *err)
{
    (void)err;
    mem_object *o = ((mem_reader *)r)->object;
    mem_store *m = mem_of(r->store);
    pthread_mutex_lock(&m->lock);
    size_t got = offset < o->n ? MIN(n, o->n - (size_t)offset) : 0;
    if (got)
        memcpy(p, o->p + offset, got);
    pthread_mutex_unlock(&m->lock);
    *ret_n = got;
    return BERTH_OK;
}

static void mem_close(blob_reader *r)
{
    mem_reader *reader = (mem_reader *)r;
    mem_store *m = mem_of(r->store);
    pthread_mutex_lock(&m->lock);
    unref(reader->object);
    pthread_mutex_unlock(&m->lock);
    mem_free(reader);
}

static int mem_remove(blob_store *s, const char *key, berth_error *err)
{
    (void)err;
    mem_store *m = mem_of(s);
    pthread_mutex_lock(&m->lock);
    mem_object **at = find(m, key), *o = *at;
    if (o) {
        *at = o->next;
        m->n_objects--;
        unref(o);
    }
    pthread_mutex_unlock(&m->lock);
    return BERTH_OK;
}

/* A copy of the list first: @each may call the store. */
static int mem_list(blob_store *s, int (*each)(void *arg, const char *key, uint64_t size, const char *digest),
                    void *arg, berth_error *err)
{
    mem_store *m = mem_of(s);
    pthread_mutex_lock(&m->lock);
    size_t n = 0;
    mem_object **all = fault_hit() ? NULL : mem_zalloc(m->n_objects + 1, sizeof(mem_object *));
    for (size_t i = 0; all && i < m->n_buckets; i++)
        for (mem_object *o = m->buckets[i]; o; o = o->next) {
            o->refs++;
            all[n++] = o;
        }
    pthread_mutex_unlock(&m->lock);
    if (!all)
        return no_memory(err);
    int r = BERTH_OK;
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&m->lock);
        uint64_t size = all[i]->n;
        CLEANUP(freep) char *digest = str_dup(str_from(all[i]->digest));
        pthread_mutex_unlock(&m->lock);
        if (r == BERTH_OK)
            r = digest ? each(arg, all[i]->key, size, digest) : no_memory(err);
        pthread_mutex_lock(&m->lock);
        unref(all[i]);
        pthread_mutex_unlock(&m->lock);
    }
    mem_free(all);
    return r;
}

static void mem_store_free(blob_store *s)
{
    mem_store *m = mem_of(s);
    for (size_t i = 0; i < m->n_buckets; i++)
        for (mem_object *o = m->buckets[i], *next; o; o = next) {
            next = o->next;
            unref(o);
        }
    mem_free(m->buckets);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

static const struct blob_store_ops mem_ops = {
    .name = "memory",
    .create = mem_create,
    .resume = mem_resume,
    .append = mem_append,
    .complete = mem_complete,
    .suspend = mem_suspend,
    .abandon = mem_abandon,
    .open = mem_open,
    .size = mem_size,
    .read = mem_read,
    .close = mem_close,
    .remove = mem_remove,
    .free = mem_store_free,
    .list = mem_list,
};

int store_memory_new(blob_store **ret_s, berth_error *err)
{
    CLEANUP(freep) mem_store *m = alloc(sizeof(*m));
    CLEANUP(freep) mem_object **buckets = alloc(64 * sizeof(mem_object *));
    if (!m || !buckets)
        return no_memory(err);
    m->base.ops = &mem_ops;
    m->n_buckets = 64;
    m->buckets = steal(&buckets);
    pthread_mutex_init(&m->lock, NULL);
    *ret_s = &steal(&m)->base;
    return BERTH_OK;
}
