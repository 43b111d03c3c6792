/* berth/download.h - a blob, or a part of one, to a function, into memory or to a file; going on where a
 * connection broke, or where another process was stopped.
 *
 *     if (berth_blob_get_file(registry, "team/app", digest, "layer.tar.gz", &call, &err) == BERTH_OK)
 *         printf("%llu bytes\n", (unsigned long long)berth_call_content(call)->size);
 *
 * A body that breaks off is gone on with by Range (RFC 9110 section 14), as often as berth_client_options
 * says, as long as it gets further; a registry that knows no ranges sends what is there again, and that is
 * passed over. Errors are those of berth/client.h. */
#ifndef BERTH_DOWNLOAD_H
#define BERTH_DOWNLOAD_H

#include <berth/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of a blob from @offset on, @length of them, or all with 0. Of a part no digest can be checked:
 * berth_call_content() says "" for it. BERTH_E_RANGE: it lies behind the blob's end. */
BERTH_API int berth_blob_get_range(berth_client *client, const char *repository, const char *digest,
                                   uint64_t offset, uint64_t length, berth_sink_fn fn, void *arg,
                                   berth_call **ret_call, berth_error *err);
BERTH_API int berth_blob_get_range_start(berth_client *client, const char *repository, const char *digest,
                                         uint64_t offset, uint64_t length, berth_sink_fn fn, void *arg,
                                         berth_call **ret_call, berth_error *err);

/** A blob of at most @max bytes in memory: berth_call_content()->data. BERTH_E_TOO_BIG: it is larger. */
BERTH_API int berth_blob_get_memory(berth_client *client, const char *repository, const char *digest,
                                    uint64_t max, berth_call **ret_call, berth_error *err);
BERTH_API int berth_blob_get_memory_start(berth_client *client, const char *repository, const char *digest,
                                          uint64_t max, berth_call **ret_call, berth_error *err);

/** A blob into the file @path, which is replaced when all bytes are there and their digest is right; who
 * needs it to outlive a loss of power syncs it then. Until then they are in <path>.<12 digits of the
 * digest>.part. That file stays when the call fails for the network, is cancelled, or the process ends: the
 * next call for the same goes on from there. How far its hash was is kept in an extended attribute, where the
 * file system has those; else the file is read again, by the start of the call, which blocks for that.
 * BERTH_E_BUSY: another process is at it. */
BERTH_API int berth_blob_get_file(berth_client *client, const char *repository, const char *digest,
                                  const char *path, berth_call **ret_call, berth_error *err);
BERTH_API int berth_blob_get_file_start(berth_client *client, const char *repository, const char *digest,
                                        const char *path, berth_call **ret_call, berth_error *err);

typedef struct berth_get_options {
    size_t size;          /* set by the initialiser; lets old callers keep working */
    unsigned ranges;      /* so many at once, at most 64; 0 and 1: one stream */
    uint64_t ranges_from; /* for blobs of at least so many bytes; 0: 64 MiB */
    uint64_t max;         /* bytes; BERTH_E_TOO_BIG: it has more. 0: no limit */
    bool goes_on;         /* berth_blob_get_fd(): what the file holds is the blob's beginning */
} berth_get_options;
#define BERTH_GET_OPTIONS_INIT BERTH_INIT(berth_get_options, BERTH_SET(size, sizeof(berth_get_options)))

/** The same with a say in how; @opts may be NULL.
 *
 * Several ranges of a large blob come faster where one connection is slow by itself: far away, or throttled.
 * Each has a connection (HTTP/1.1), a place of @reads_at_once and tries of its own; a range that fails for
 * good is fetched by the others. Bytes go to their places in the file, and are hashed in order, as they come
 * or by being read again: memory does not grow. The blob is one stream where the registry answers a Range
 * with the whole, or does not say its size. If the digest is wrong, all is fetched once more as one stream.
 *
 * While it is spread, the .part file is as long as the blob, and a page more, which says what is there: the
 * next call goes on from that, whatever its own options are. */
BERTH_API int berth_blob_get_file_with(berth_client *client, const char *repository, const char *digest,
                                       const char *path, const berth_get_options *opts, berth_call **ret_call,
                                       berth_error *err);
BERTH_API int berth_blob_get_file_with_start(berth_client *client, const char *repository, const char *digest,
                                             const char *path, const berth_get_options *opts,
                                             berth_call **ret_call, berth_error *err);

/** The same into a regular file that is open for reading and writing. It is emptied, and holds the blob if
 * the call has ended well; nothing is kept for another call. @fd is lent until then, its position is
 * anywhere.
 *
 * With @goes_on the file is as berth_blob_get_file() has its .part file: it holds nothing yet, or what a call
 * that failed, or a process that ended, has left in it, and the call goes on with that. It is empty after a
 * failure that leaves nothing to go on with. To see to it that no other process writes is the caller's. */
BERTH_API int berth_blob_get_fd(berth_client *client, const char *repository, const char *digest, int fd,
                                const berth_get_options *opts, berth_call **ret_call, berth_error *err);
BERTH_API int berth_blob_get_fd_start(berth_client *client, const char *repository, const char *digest,
                                      int fd, const berth_get_options *opts, berth_call **ret_call,
                                      berth_error *err);

#ifdef __cplusplus
}
#endif
#endif
