/* util/io.h - system calls that retry, finish and sync; random keys; whole small files. */
#ifndef UTIL_IO_H
#define UTIL_IO_H

#include <sys/types.h>

#include "util/buf.h"

/* All @n bytes at the descriptor's position. BERTH_E_NO_SPACE for a full disk or quota, else BERTH_E_IO. */
int io_write_all(int fd, const void *p, size_t n, berth_error *err);

/* All @n bytes at @offset; the descriptor's position stays. Fails as io_write_all() does. */
int io_pwrite_all(int fd, const void *p, size_t n, uint64_t offset, berth_error *err);

/* Up to @n bytes at @offset; fewer only at the end of the file. */
int io_pread(int fd, void *p, size_t n, uint64_t offset, size_t *ret_n, berth_error *err);

int io_sync(int fd, berth_error *err);                  /* fdatasync */
int io_sync_dir(int dir_fd, berth_error *err);          /* fsync: makes created and removed names durable */
int io_sync_parent(const char *path, berth_error *err); /* the folder that @path is a name in */

/* Creates @path and its parents, those that it makes with @mode and the umask; existing folders are fine. */
int io_mkdirs(const char *path, mode_t mode, berth_error *err);

/* Makes the names of @path and its parents durable: who made them may have died before it had. What may not
 * be opened, or can't be synced by its kind, is passed over: another's, and not made by us. */
int io_sync_parents(const char *path, berth_error *err);

/* The whole file appended to @buf, within the buffer's ceiling (BERTH_E_TOO_BIG). */
int io_read_file(const char *path, berth_buf *buf, berth_error *err);

/* Makes @path a file of these bytes, whole or not at all, on the disk, and readable by its owner alone.
 * @folder is the one that it is in, opened. */
int io_replace_file(const char *path, int folder, berth_str bytes, berth_error *err);

/* Fresh random bytes from the kernel; a failure aborts: no key may ever be guessable. */
void io_random(void *p, size_t n);

#define IO_KEY_SIZE 33
void io_random_key(char out[IO_KEY_SIZE]); /* 128 random bits as 32 lower-case hex digits and NUL */
void io_random_uuid(char out[37]);         /* RFC 9562 version 4 */

#endif
