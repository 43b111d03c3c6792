/* content/tar_library.h - what the files that see libarchive share: docs/adr/0036. */
#ifndef CONTENT_TAR_LIBRARY_H
#define CONTENT_TAR_LIBRARY_H

#include <archive.h>
#include <archive_entry.h>

#include "content/tar.h"

/* Its functions, usable once tar_library_load() has returned BERTH_OK. */
/* clang-format off */
#define ARCHIVE_FUNCTIONS(X)                                                                          \
    X(archive_errno) X(archive_error_string)                                                          \
    X(archive_read_new) X(archive_read_support_format_tar) X(archive_read_support_format_empty)       \
    X(archive_read_open) X(archive_read_next_header) X(archive_read_data_block) X(archive_read_free)  \
    X(archive_write_new) X(archive_write_set_format_gnutar) X(archive_write_set_bytes_per_block)      \
    X(archive_write_set_bytes_in_last_block) X(archive_write_open) X(archive_write_header)            \
    X(archive_write_data) X(archive_write_close) X(archive_write_free)          \
    X(archive_entry_new) X(archive_entry_clear) X(archive_entry_free) X(archive_entry_filetype)       \
    X(archive_entry_hardlink) X(archive_entry_mtime) X(archive_entry_pathname) X(archive_entry_perm)  \
    X(archive_entry_size) X(archive_entry_sparse_count) X(archive_entry_symlink)                      \
    X(archive_entry_copy_hardlink) X(archive_entry_copy_pathname) X(archive_entry_copy_symlink)       \
    X(archive_entry_set_filetype) X(archive_entry_set_mtime) X(archive_entry_set_perm)                \
    X(archive_entry_set_size)
/* clang-format on */
struct archive_functions {
#define POINTER(name) __typeof__(name) *name;
    ARCHIVE_FUNCTIONS(POINTER)
#undef POINTER
};
extern struct archive_functions libarchive;

/* Any thread, any number of times. BERTH_E_UNSUPPORTED: there is no libarchive. */
int tar_library_load(berth_error *err);

#endif
