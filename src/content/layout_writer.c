/* content/layout_writer.c - a blob on its way into an image layout; see berth/layout.h. */
#include <stdio.h>

#include "content/layout_private.h"
#include "util/fault.h"
#include "util/io.h"

struct berth_layout_writer {
    const berth_layout *layout;
    struct layout_part part;
    berth_hash hash;
    bool named, finished;
    berth_digest digest; /* that it has to have, if @named; that it has, when it is finished */
    uint64_t size;
    berth_error err; /* why it failed */
};

int berth_layout_writer_new(berth_layout *layout, const char *digest, berth_layout_writer **ret,
                            berth_error *err)
{
    berth_layout_writer *w = fault_hit() ? NULL : mem_zalloc(1, sizeof(*w));
    char suffix[IO_KEY_SIZE + 8], key[IO_KEY_SIZE];
    if (!w)
        return no_memory(err);
    w->layout = layout;
    w->part.fd = -1;
    w->named = digest;
    io_random_key(key);
    snprintf(suffix, sizeof(suffix), ".%s", key);
    int r = digest ? digest_parse(str_from(digest), &w->digest, err) : BERTH_OK;
    if (r == BERTH_OK)
        r = layout_part_open(layout->dir_fd, digest ? &w->digest : NULL, suffix, &w->part, err);
    if (r != BERTH_OK) {
        berth_layout_writer_free(w);
        return r;
    }
    hash_init(&w->hash, digest ? (enum hash_algorithm)w->digest.algorithm : HASH_SHA256);
    *ret = w;
    return BERTH_OK;
}

int berth_layout_writer_add(void *writer, const void *p, size_t n)
{
    berth_layout_writer *w = writer;
    if (w->err.code == BERTH_OK && w->finished)
        berth_error_set(&w->err, BERTH_E_INVALID, "the blob is finished");
    if (w->err.code != BERTH_OK || io_write_all(w->part.fd, p, n, &w->err) != BERTH_OK)
        return w->err.code;
    hash_update(&w->hash, p, n);
    w->size += n;
    return BERTH_OK;
}

static int finish(berth_layout_writer *w)
{
    berth_digest have;
    if (w->finished)
        return berth_error_set(&w->err, BERTH_E_INVALID, "the blob is finished");
    digest_from_hash(&w->hash, &have);
    w->finished = true;
    if (w->named && !digest_eq(&have, &w->digest))
        return berth_error_set(&w->err, BERTH_E_DIGEST, "the bytes have the digest %.20s..., not %.20s...",
                               have.text, w->digest.text);
    w->digest = have;
    layout_blob_path(&have, w->part.path);
    return layout_part_keep(&w->part, &w->err);
}

int berth_layout_writer_finish(berth_layout_writer *w, berth_descriptor *ret_blob, berth_error *err)
{
    if (w->err.code == BERTH_OK)
        finish(w);
    if (w->err.code != BERTH_OK)
        return berth_error_set(err, w->err.code, "%s", w->err.message);
    if (ret_blob) {
        *ret_blob = (berth_descriptor)BERTH_DESCRIPTOR_INIT;
        ret_blob->digest = w->digest.text;
        ret_blob->size = w->size;
    }
    return BERTH_OK;
}

void berth_layout_writer_free(berth_layout_writer *w)
{
    if (!w)
        return;
    layout_part_done(&w->part);
    mem_free(w);
}
