/* storage/store.c - the calls of store.h on whichever driver it is; keys are checked here, once for all. */
#include "storage/store.h"

#include "util/io.h"

bool store_key_valid(berth_str key)
{
    if (key.n != IO_KEY_SIZE - 1)
        return false;
    for (size_t i = 0; i < key.n; i++)
        if (!(key.p[i] >= '0' && key.p[i] <= '9') && !(key.p[i] >= 'a' && key.p[i] <= 'f'))
            return false;
    return true;
}

static int check_key(const char *key, berth_error *err)
{
    return store_key_valid(str_from(key)) ? BERTH_OK
                                          : berth_error_set(err, BERTH_E_INVALID, "not an object key");
}

int store_create(blob_store *s, const char *key, blob_writer **ret_w, berth_error *err)
{
    int r = check_key(key, err);
    return r == BERTH_OK ? s->ops->create(s, key, ret_w, err) : r;
}

int store_resume(blob_store *s, const char *key, uint64_t size, blob_writer **ret_w, berth_error *err)
{
    int r = check_key(key, err);
    return r == BERTH_OK ? s->ops->resume(s, key, size, ret_w, err) : r;
}

int store_append(blob_writer *w, const void *p, size_t n, berth_error *err)
{
    return n ? w->store->ops->append(w, p, n, err) : BERTH_OK;
}

int store_complete(blob_writer *w, const char *digest, berth_error *err)
{
    return w->store->ops->complete(w, digest, err);
}

int store_suspend(blob_writer *w, berth_error *err)
{
    return w->store->ops->suspend(w, err);
}

void store_abandon(blob_writer *w)
{
    if (w)
        w->store->ops->abandon(w);
}

int store_open(blob_store *s, const char *key, blob_reader **ret_r, berth_error *err)
{
    int r = check_key(key, err);
    return r == BERTH_OK ? s->ops->open(s, key, ret_r, err) : r;
}

uint64_t store_reader_size(blob_reader *r)
{
    return r->store->ops->size(r);
}

int store_reader_fd(blob_reader *r)
{
    return r->store->ops->reader_fd ? r->store->ops->reader_fd(r) : -1;
}

int store_read(blob_reader *r, uint64_t offset, void *p, size_t n, size_t *ret_n, berth_error *err)
{
    return r->store->ops->read(r, offset, p, n, ret_n, err);
}

void store_close(blob_reader *r)
{
    if (r)
        r->store->ops->close(r);
}

int store_remove(blob_store *s, const char *key, berth_error *err)
{
    int r = check_key(key, err);
    return r == BERTH_OK ? s->ops->remove(s, key, err) : r;
}

void store_remove_all(blob_store *s, const char *const *keys, size_t n, bool *ret_removed)
{
    bool valid = true;
    for (size_t i = 0; i < n; i++)
        valid = valid && store_key_valid(str_from(keys[i]));
    if (valid && s->ops->remove_all)
        s->ops->remove_all(s, keys, n, ret_removed);
    else
        for (size_t i = 0; i < n; i++)
            ret_removed[i] = store_remove(s, keys[i], NULL) == BERTH_OK;
}

int store_list(blob_store *s, int (*each)(void *arg, const char *key, uint64_t size, const char *digest),
               void *arg, berth_error *err)
{
    if (!s->ops->list)
        return berth_error_set(err, BERTH_E_UNSUPPORTED, "this store can't list its objects");
    return s->ops->list(s, each, arg, err);
}

int store_space(blob_store *s, uint64_t *ret_free, berth_error *err)
{
    if (!s->ops->space)
        return berth_error_set(err, BERTH_E_UNSUPPORTED, "this store does not know its free space");
    return s->ops->space(s, ret_free, err);
}

void store_free(blob_store *s)
{
    if (s)
        s->ops->free(s);
}
