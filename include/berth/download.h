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

#ifdef __cplusplus
}
#endif
#endif
