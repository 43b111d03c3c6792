/* storage/faulty.c - another store whose n-th call fails, for tests of what stands above. A call that fails
 * never reaches the inner store, except that its writer is abandoned where the contract says that it is
 * freed. */
#include "storage/store.h"

#include <stdatomic.h>

typedef struct faulty_store {
    blob_store base;
    struct blob_store_ops ops; /* the optional abilities are those of the inner store */
    blob_store *inner;
    atomic_long countdown; /* 0: disarmed; -1: fired */
    atomic_int code;
} faulty_store;

typedef struct faulty_writer {
    blob_writer base;
    blob_writer *inner;
} faulty_writer;

typedef struct faulty_reader {
    blob_reader base;
    blob_reader *inner;
} faulty_reader;

static blob_store *inner_of(blob_store *s)
{
    return ((faulty_store *)s)->inner;
}

/* Counts one call; the code to fail with, or BERTH_OK. */
static int count(blob_store *s, berth_error *err)
{
    faulty_store *f = (faulty_store *)s;
    long left = atomic_load(&f->countdown);
    while (left > 0)
        if (atomic_compare_exchange_weak(&f->countdown, &left, left == 1 ? -1 : left - 1))
            return left == 1 ? berth_error_set(err, atomic_load(&f->code), "this call was asked to fail")
                             : BERTH_OK;
    return BERTH_OK;
}

/* The inner writer of @bw, whose own struct is freed. */
static blob_writer *unwrap(blob_writer *bw)
{
    blob_writer *inner = ((faulty_writer *)bw)->inner;
    mem_free(bw);
    return inner;
}

static int wrap_writer(blob_store *s, blob_writer *inner, blob_writer **ret_w, berth_error *err)
{
    faulty_writer *w = mem_alloc(sizeof(*w));
    if (!w) {
        store_abandon(inner);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *w = (faulty_writer){{s}, inner};
    *ret_w = &w->base;
    return BERTH_OK;
}

static int faulty_create(blob_store *s, const char *key, blob_writer **ret_w, berth_error *err)
{
    blob_writer *inner;
    int r = count(s, err);
    if (r == BERTH_OK)
        r = store_create(inner_of(s), key, &inner, err);
    return r == BERTH_OK ? wrap_writer(s, inner, ret_w, err) : r;
}

static int faulty_resume(blob_store *s, const char *key, uint64_t size, blob_writer **ret_w, berth_error *err)
{
    blob_writer *inner;
    int r = count(s, err);
    if (r == BERTH_OK)
        r = store_resume(inner_of(s), key, size, &inner, err);
    return r == BERTH_OK ? wrap_writer(s, inner, ret_w, err) : r;
}

static int faulty_append(blob_writer *w, const void *p, size_t n, berth_error *err)
{
    int r = count(w->store, err);
    return r == BERTH_OK ? store_append(((faulty_writer *)w)->inner, p, n, err) : r;
}

static int faulty_complete(blob_writer *w, const char *digest, berth_error *err)
{
    int r = count(w->store, err);
    blob_writer *inner = unwrap(w);
    if (r == BERTH_OK)
        return store_complete(inner, digest, err);
    store_abandon(inner);
    return r;
}

static int faulty_suspend(blob_writer *w, berth_error *err)
{
    int r = count(w->store, err);
    blob_writer *inner = unwrap(w);
    if (r == BERTH_OK)
        return store_suspend(inner, err);
    store_abandon(inner);
    return r;
}

static void faulty_abandon(blob_writer *w)
{
    store_abandon(unwrap(w));
}

static int faulty_open(blob_store *s, const char *key, blob_reader **ret_r, berth_error *err)
{
    blob_reader *inner;
    int r = count(s, err);
    if (r == BERTH_OK)
        r = store_open(inner_of(s), key, &inner, err);
    if (r != BERTH_OK)
        return r;
    faulty_reader *reader = mem_alloc(sizeof(*reader));
    if (!reader) {
        store_close(inner);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *reader = (faulty_reader){{s}, inner};
    *ret_r = &reader->base;
    return BERTH_OK;
}

static uint64_t faulty_size(blob_reader *r)
{
    return store_reader_size(((faulty_reader *)r)->inner);
}

static int faulty_read(blob_reader *r, uint64_t offset, void *p, size_t n, size_t *ret_n, berth_error *err)
{
    int e = count(r->store, err);
    return e == BERTH_OK ? store_read(((faulty_reader *)r)->inner, offset, p, n, ret_n, err) : e;
}

static int faulty_reader_fd(blob_reader *r)
{
    return store_reader_fd(((faulty_reader *)r)->inner);
}

static void faulty_close(blob_reader *r)
{
    store_close(((faulty_reader *)r)->inner);
    mem_free(r);
}

static int faulty_remove(blob_store *s, const char *key, berth_error *err)
{
    int r = count(s, err);
    return r == BERTH_OK ? store_remove(inner_of(s), key, err) : r;
}

static int faulty_list(blob_store *s,
                       int (*each)(void *arg, const char *key, uint64_t size, const char *digest), void *arg,
                       berth_error *err)
{
    int r = count(s, err);
    return r == BERTH_OK ? store_list(inner_of(s), each, arg, err) : r;
}

static int faulty_space(blob_store *s, uint64_t *ret_free, berth_error *err)
{
    int r = count(s, err);
    return r == BERTH_OK ? store_space(inner_of(s), ret_free, err) : r;
}

static void faulty_free(blob_store *s)
{
    store_free(inner_of(s));
    mem_free(s);
}

int store_faulty_new(blob_store *inner, blob_store **ret_s, berth_error *err)
{
    faulty_store *f = mem_alloc(sizeof(*f));
    if (!f) {
        store_free(inner);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    f->ops = (struct blob_store_ops){
        .name = "faulty",
        .create = faulty_create,
        .resume = faulty_resume,
        .append = faulty_append,
        .complete = faulty_complete,
        .suspend = faulty_suspend,
        .abandon = faulty_abandon,
        .open = faulty_open,
        .size = faulty_size,
        .read = faulty_read,
        .close = faulty_close,
        .remove = faulty_remove,
        .free = faulty_free,
        .reader_fd = inner->ops->reader_fd ? faulty_reader_fd : NULL,
        .list = inner->ops->list ? faulty_list : NULL,
        .space = inner->ops->space ? faulty_space : NULL,
    };
    f->base.ops = &f->ops;
    f->inner = inner;
    atomic_init(&f->countdown, 0);
    atomic_init(&f->code, BERTH_E_IO);
    *ret_s = &f->base;
    return BERTH_OK;
}

bool store_faulty_fail(blob_store *faulty, unsigned nth, int code)
{
    faulty_store *f = (faulty_store *)faulty;
    atomic_store(&f->code, code);
    return atomic_exchange(&f->countdown, (long)nth) < 0;
}
