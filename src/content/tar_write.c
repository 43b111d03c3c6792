/* content/tar_write.c - the writer; see tar.h. The form is GNU's: names are bytes in it, whatever the locale,
 * and any tar reads it. */
#include <errno.h>

#include "content/tar_library.h"
#include "util/fault.h"

struct tar_writer {
    tar_sink_fn fn;
    void *arg;
    struct archive *a;
    struct archive_entry *entry;
    berth_error err; /* of the sink */
};

static int failed(const struct tar_writer *w, berth_error *err)
{
    if (w->err.code != BERTH_OK)
        return berth_error_set(err, w->err.code, "%s", w->err.message);
    const char *why = libarchive.archive_error_string(w->a);
    return libarchive.archive_errno(w->a) == ENOMEM
               ? berth_error_set(err, BERTH_E_NOMEM, "out of memory")
               : berth_error_set(err, BERTH_E_INVALID, "no tar archive can hold it: %s",
                                 why ? why : "unknown");
}

static la_ssize_t to_sink(struct archive *a, void *arg, const void *p, size_t n)
{
    struct tar_writer *w = arg;
    (void)a;
    if (!w->fn)
        return -1;
    w->err.code = w->fn(w->arg, p, n, &w->err);
    return w->err.code == BERTH_OK ? (la_ssize_t)n : -1;
}

int tar_writer_new(tar_sink_fn fn, void *arg, struct tar_writer **ret, berth_error *err)
{
    int r = tar_library_load(err);
    if (r != BERTH_OK)
        return r;
    struct tar_writer *w = fault_hit() ? NULL : mem_zalloc(1, sizeof(*w));
    if (!w)
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    w->fn = fn;
    w->arg = arg;
    w->a = fault_hit() ? NULL : libarchive.archive_write_new();
    w->entry = w->a ? libarchive.archive_entry_new() : NULL;
    /* Nothing is collected before it goes to the sink, and the end is not filled up to a tape's block. */
    if (!w->entry || libarchive.archive_write_set_format_gnutar(w->a) != ARCHIVE_OK ||
        libarchive.archive_write_set_bytes_per_block(w->a, 0) != ARCHIVE_OK ||
        libarchive.archive_write_set_bytes_in_last_block(w->a, 1) != ARCHIVE_OK ||
        libarchive.archive_write_open(w->a, w, NULL, to_sink, NULL) != ARCHIVE_OK) {
        tar_writer_free(w);
        return berth_error_set(err, BERTH_E_NOMEM, "out of memory");
    }
    *ret = w;
    return BERTH_OK;
}

void tar_writer_free(struct tar_writer *w)
{
    if (!w)
        return;
    w->fn = NULL; /* nobody wants an end that was not asked for */
    if (w->a)
        libarchive.archive_write_close(w->a); /* after an error, freeing alone leaks */
    libarchive.archive_write_free(w->a);
    libarchive.archive_entry_free(w->entry);
    mem_free(w);
}

int tar_writer_entry(struct tar_writer *w, const struct tar_entry *e, berth_error *err)
{
    static const unsigned types[] = {[TAR_FILE] = AE_IFREG,
                                     [TAR_FOLDER] = AE_IFDIR,
                                     [TAR_SYMLINK] = AE_IFLNK,
                                     [TAR_HARDLINK] = AE_IFREG,
                                     [TAR_OTHER] = AE_IFIFO};
    libarchive.archive_entry_clear(w->entry);
    libarchive.archive_entry_copy_pathname(w->entry, e->path);
    libarchive.archive_entry_set_filetype(w->entry, types[e->type]);
    libarchive.archive_entry_set_perm(w->entry, e->mode & 07777);
    libarchive.archive_entry_set_size(w->entry, (la_int64_t)e->size);
    libarchive.archive_entry_set_mtime(w->entry, e->mtime, 0);
    if (e->type == TAR_SYMLINK)
        libarchive.archive_entry_copy_symlink(w->entry, e->link);
    if (e->type == TAR_HARDLINK)
        libarchive.archive_entry_copy_hardlink(w->entry, e->link);
    return libarchive.archive_write_header(w->a, w->entry) == ARCHIVE_OK ? BERTH_OK : failed(w, err);
}

int tar_writer_data(struct tar_writer *w, const void *p, size_t n, berth_error *err)
{
    return libarchive.archive_write_data(w->a, p, n) == (la_ssize_t)n ? BERTH_OK : failed(w, err);
}

int tar_writer_end(struct tar_writer *w, berth_error *err)
{
    return libarchive.archive_write_close(w->a) == ARCHIVE_OK ? BERTH_OK : failed(w, err);
}
