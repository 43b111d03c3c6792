/* berth/upload.h - bring a blob into a registry: whole, in chunks, from a stream, by mounting it from another
 * repository; go on with what was broken off, in this process or in the next.
 *
 *     berth_source file = BERTH_SOURCE_FD(fd);
 *     berth_put_options how = BERTH_PUT_OPTIONS_INIT;
 *     if (berth_blob_put(registry, "team/app", &file, &how, &call, &err) == BERTH_OK)
 *         puts(berth_call_content(call)->digest);
 *
 * The sections named are those of the distribution-spec. Errors are those of berth/client.h. */
#ifndef BERTH_UPLOAD_H
#define BERTH_UPLOAD_H

#include <berth/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- where bytes come from --- */

/* The next bytes of a source: at most @n of them to @p, how many in *@ret_n, none at its end. BERTH_PAUSE:
 * there are none yet, and *@ret_n does not count. Another answer than 0 ends the call with BERTH_E_CANCELLED.
 * It may block; every call of the client waits meanwhile. */
typedef int (*berth_source_fn)(void *arg, void *p, size_t n, size_t *ret_n);
/* Go on from @offset bytes behind the beginning. Another answer than 0: it can't be done. */
typedef int (*berth_seek_fn)(void *arg, uint64_t offset);

#define BERTH_LENGTH_UNKNOWN UINT64_MAX

/* Where the bytes of an upload come from: memory, a descriptor or a function. What can be read twice (memory,
 * a regular file, a function with a seek) is sent again when a redirect, a challenge or a broken connection
 * asks for it. Lent until the call has ended; make it by one of the initialisers below. */
typedef struct berth_source {
    size_t size; /* set by the initialiser */
    const void *bytes;
    uint64_t length; /* in bytes; BERTH_LENGTH_UNKNOWN: to the end, which of a regular file is looked up. A
                      * function or a pipe has to end there, and is asked whether it does: BERTH_E_INVALID */
    int fd; /* read from where it stands; never closed. One that does not block (O_NONBLOCK) and has nothing
             * yet pauses the call: berth_call_resume() when it is readable. -1: none */
    berth_source_fn read;
    berth_seek_fn seek; /* NULL: it can be read once */
    void *arg;
} berth_source;
#define BERTH_SOURCE_BYTES(p, n)                                                                             \
    BERTH_INIT_HERE(berth_source, BERTH_SET(size, sizeof(berth_source)), BERTH_SET(bytes, p),                \
                    BERTH_SET(length, n), BERTH_SET(fd, -1))
#define BERTH_SOURCE_FD(descriptor)                                                                          \
    BERTH_INIT_HERE(berth_source, BERTH_SET(size, sizeof(berth_source)),                                     \
                    BERTH_SET(length, BERTH_LENGTH_UNKNOWN), BERTH_SET(fd, descriptor))
#define BERTH_SOURCE_FN(read_fn, seek_fn, its_arg, n)                                                        \
    BERTH_INIT_HERE(berth_source, BERTH_SET(size, sizeof(berth_source)), BERTH_SET(length, n),               \
                    BERTH_SET(fd, -1), BERTH_SET(read, read_fn), BERTH_SET(seek, seek_fn),                   \
                    BERTH_SET(arg, its_arg))

/* --- a session: the registry's place for an upload that is under way --- */

typedef struct berth_upload {
    const char *url;    /* where it goes on; absolute, its query belongs to it. It may carry a secret */
    uint64_t offset;    /* so many bytes the registry has */
    uint64_t chunk_min; /* no chunk but the last may be shorter (OCI-Chunk-Min-Length); 0: any may */
} berth_upload;

/** Of a call on a session that has ended well; NULL: of another. Lent until berth_call_free(). */
BERTH_API const berth_upload *berth_call_upload(const berth_call *call);

/** Opens a session ("Pushing a blob in chunks"). */
BERTH_API int berth_upload_open(berth_client *client, const char *repository, berth_call **ret_call,
                                berth_error *err);
BERTH_API int berth_upload_open_start(berth_client *client, const char *repository, berth_call **ret_call,
                                      berth_error *err);

/** How far the session at @url is. BERTH_E_NOT_FOUND: it is there no more. @url is absolute, or a path of the
 * registry's own; credentials go to the registry's own host alone. */
BERTH_API int berth_upload_status(berth_client *client, const char *repository, const char *url,
                                  berth_call **ret_call, berth_error *err);
BERTH_API int berth_upload_status_start(berth_client *client, const char *repository, const char *url,
                                        berth_call **ret_call, berth_error *err);

/** Sends all of @source as the next chunk (PATCH), which begins at @offset. BERTH_E_RANGE: the registry has
 * another offset, ask for it. A source of unknown length goes without Content-Range. */
BERTH_API int berth_upload_append(berth_client *client, const char *repository, const char *url,
                                  uint64_t offset, const berth_source *source, berth_call **ret_call,
                                  berth_error *err);
BERTH_API int berth_upload_append_start(berth_client *client, const char *repository, const char *url,
                                        uint64_t offset, const berth_source *source, berth_call **ret_call,
                                        berth_error *err);

/** Closes the session (PUT): what it has, and @source behind it unless that is NULL, becomes the blob
 * @digest. BERTH_E_DIGEST when the registry finds another. */
BERTH_API int berth_upload_close(berth_client *client, const char *repository, const char *url,
                                 const char *digest, const berth_source *source, berth_call **ret_call,
                                 berth_error *err);
BERTH_API int berth_upload_close_start(berth_client *client, const char *repository, const char *url,
                                       const char *digest, const berth_source *source, berth_call **ret_call,
                                       berth_error *err);

/** Has the registry forget the session and what it holds. */
BERTH_API int berth_upload_cancel(berth_client *client, const char *repository, const char *url,
                                  berth_error *err);
BERTH_API int berth_upload_cancel_start(berth_client *client, const char *repository, const char *url,
                                        berth_call **ret_call, berth_error *err);

/* --- whole blobs --- */

typedef enum berth_put_mode {
    BERTH_PUT_AUTO = 0,    /* POST, then PUT; where the digest isn't known before, PATCH and PUT */
    BERTH_PUT_SINGLE = 1,  /* one POST with the bytes; as AUTO where the registry doesn't take that */
    BERTH_PUT_CHUNKED = 2, /* in chunks */
} berth_put_mode;

/* The session is where @upload says; valid for the time of the call. */
typedef void (*berth_upload_fn)(void *arg, const berth_upload *upload);

/* The digest of the content, which is computed elsewhere meanwhile; *@ret_digest is copied. BERTH_PAUSE: not
 * yet, berth_call_resume() when it is known. NULL, or another answer than 0: the call ends with
 * BERTH_E_CANCELLED; what is no digest: BERTH_E_INVALID. By the thread that drives the client; again after
 * each BERTH_PAUSE. */
typedef int (*berth_digest_fn)(void *arg, const char **ret_digest);

typedef struct berth_put_options {
    size_t size;            /* set by the initialiser */
    const char *digest;     /* NULL: that of memory is computed before, another found on the way (sha256) */
    berth_put_mode mode;    /* SINGLE needs to know the length, and the digest at once */
    bool force;             /* do not ask first whether the blob is there */
    const char *mount_from; /* try to mount it from this repository first; "": the registry may know a place;
                             * NULL: don't. With it the digest must be given */
    uint64_t chunk_size;    /* in bytes; 0: 16 MiB. The registry's chunk_min is obeyed */
    uint64_t chunk_above;   /* AUTO: what is longer goes in chunks; 0: nothing does */
    const char *resume; /* a session's URL, handed out by @on_upload before, perhaps in another process: go
                         * on there, or begin anew where it is gone. The digest must be given */
    berth_upload_fn on_upload; /* called when the session has a URL or moves on; then a session that may be
                                * gone on with outlives a failure. NULL: a failed upload is cancelled */
    void *arg;                 /* of both functions */
    /* Instead of @digest, for what has a length and can be read twice: its bytes are sent (PATCH) without
     * being hashed, nor is it asked whether the blob is there, and this is called when all of them have
     * arrived. */
    berth_digest_fn digest_later;
} berth_put_options;
#define BERTH_PUT_OPTIONS_INIT BERTH_INIT(berth_put_options, BERTH_SET(size, sizeof(berth_put_options)))

/** Brings @source into @repository as a blob; @opts may be NULL and is copied, @source is lent until the end.
 * Content: its digest and size.
 *
 * A broken connection is met by asking the session how far it is, when the source can be read from there; a
 * chunk of a source that can be read only once is kept in memory for that. A chunked upload's digest is
 * computed on the way, and BERTH_E_DIGEST says that it is not the one in @opts; of bytes sent whole under a
 * given digest, or under one that comes later, the registry alone computes it. */
BERTH_API int berth_blob_put(berth_client *client, const char *repository, const berth_source *source,
                             const berth_put_options *opts, berth_call **ret_call, berth_error *err);
BERTH_API int berth_blob_put_start(berth_client *client, const char *repository, const berth_source *source,
                                   const berth_put_options *opts, berth_call **ret_call, berth_error *err);

/** Has the registry take the blob @digest from the repository @from, or, when that is NULL, from wherever it
 * knows it ("Mounting a blob from another repository"). BERTH_E_NOT_FOUND: it doesn't. */
BERTH_API int berth_blob_mount(berth_client *client, const char *repository, const char *digest,
                               const char *from, berth_call **ret_call, berth_error *err);
BERTH_API int berth_blob_mount_start(berth_client *client, const char *repository, const char *digest,
                                     const char *from, berth_call **ret_call, berth_error *err);

typedef enum berth_put_outcome {
    BERTH_PUT_NONE = 0,    /* of another call, or of one that has not ended well */
    BERTH_PUT_STORED = 1,  /* its bytes were sent */
    BERTH_PUT_PRESENT = 2, /* it was there before */
    BERTH_PUT_MOUNTED = 3,
} berth_put_outcome;

/** How a call of berth_blob_put() or berth_blob_mount() brought the blob there. */
BERTH_API berth_put_outcome berth_call_put_outcome(const berth_call *call);

#ifdef __cplusplus
}
#endif
#endif
