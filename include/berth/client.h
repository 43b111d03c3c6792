/* berth/client.h - speak to one OCI registry: ping it, list tags, read manifests and blobs.
 *
 * Thread-safe: share a client. Every operation comes twice: berth_x() blocks, berth_x_start() hands out a
 * call that moves whenever the client is processed, so that one thread may have a thousand under way:
 *
 *     berth_client *registry;
 *     berth_call *call;
 *     berth_error err;
 *     if (berth_client_new("registry.example", NULL, &registry, &err) == BERTH_OK &&
 *         berth_manifest_get(registry, "team/app", "v1", BERTH_ACCEPT_ANY, &call, &err) == BERTH_OK)
 *         puts(berth_call_content(call)->digest);
 *
 * No function reads the environment (proxies are libcurl's to find: https_proxy, no_proxy), writes a log, or
 * starts a thread (libcurl may, to look up a name). Credentials are never sent to another host than the one
 * they belong to, and to none over plain HTTP that was named by a registry spoken to over TLS. */
#ifndef BERTH_CLIENT_H
#define BERTH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <berth/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct berth_client berth_client; /* opaque: may grow freely */
typedef struct berth_call berth_call;     /* one operation, from its start until berth_call_free() */

/* --- the client --- */

typedef enum berth_transport {
    BERTH_TRANSPORT_AUTO = 0, /* HTTP for localhost, 127.0.0.1 and [::1], HTTPS for all others; if insecure,
                               * HTTPS for all, and HTTP where that does not answer */
    BERTH_TRANSPORT_HTTP = 1,
    BERTH_TRANSPORT_HTTPS = 2,
} berth_transport;

/* What berth_trace_fn is told of. */
typedef enum berth_trace {
    BERTH_TRACE_SENT = 0,     /* a request: its first line and its headers */
    BERTH_TRACE_RECEIVED = 1, /* an answer: the same of it */
    BERTH_TRACE_FAILED = 2,   /* there was no answer, or not all of it: one line */
} berth_trace;

/* Debugging: @text is whole lines, each with its "\n", with secrets masked: "Authorization: Bearer ***". No
 * bodies. @exchange numbers the pairs of request and answer of one client. */
typedef void (*berth_trace_fn)(void *arg, berth_trace what, uint64_t exchange, const char *text);
/* What went wrong before a request is sent again. */
typedef struct berth_retry {
    unsigned tries;         /* made so far */
    uint32_t wait_ms;       /* until the next, at least */
    const berth_error *why; /* lent */
} berth_retry;

/* Called before the wait, by the thread that drives the client. It may renew what the request is made of; 0:
 * try again. Any other answer ends the call with what went wrong. */
typedef int (*berth_retry_fn)(void *arg, berth_call *call, const berth_retry *retry);

/* What the registry wants its users to know (distribution-spec, "Warnings"), without control characters. Each
 * text comes once, by the thread that drives the client; of very many, old ones may come again. */
typedef void (*berth_warning_fn)(void *arg, const char *text);

/* What a tag is called by the other side: *@ret_tag, from berth_malloc() (berth/memory.h), is the library's
 * to free; left NULL, it is called the same. Another answer than 0 ends the call, or refuses to start it,
 * with BERTH_E_CANCELLED. It may not wait for a call of the client. */
typedef int (*berth_tag_name_fn)(void *arg, const char *tag, char **ret_tag);

typedef struct berth_client_options {
    size_t size;                  /* set by the initialiser; lets old callers keep working */
    const char *user_agent;       /* NULL: "berth/<version>" */
    const char *ca_file;          /* certificates to trust; NULL: the system's */
    const char *username;         /* NULL: from @credentials_file, or anonymous */
    const char *password;         /* NULL: empty */
    const char *credentials_file; /* Docker's config.json, read when asked for credentials; NULL: none. A file
                                   * that isn't there is fine */
    uint32_t timeout_ms;          /* without any progress; 0: wait for ever */
    berth_transport transport;
    bool insecure;                                       /* take any certificate; and see AUTO above */
    const struct berth_credentials_options *credentials; /* berth/credentials.h; NULL: what stands above */
    const struct berth_connection_options *connection;   /* berth/connection.h; NULL: nothing special */

    /* Trying again: after a connection that broke, and the answers 408, 429, 500, 502, 503 and 504; requests
     * whose body can't be had again are not. A wait doubles from try to try, and its length is somewhere
     * between a half and all of that; Retry-After (seconds or date) makes it longer, but one beyond
     * @longest_wait_ms ends the call with BERTH_E_BUSY. After a 429, and a 503 with Retry-After, no call of
     * this client sends before the wait is over. A host that could never be reached is not tried again. */
    unsigned retries;                        /* 0: none */
    uint32_t first_wait_ms, longest_wait_ms; /* milliseconds */
    berth_retry_fn on_retry;                 /* of every call; NULL: none */
    void *on_retry_arg;

    /* At once: a 429 halves the number, down to 1, and an answer adds one, up to what stands here; further
     * calls wait for their turn. 0: no limit. */
    unsigned reads_at_once, writes_at_once;
    unsigned requests_per_second; /* 0: no limit */

    /* Time-outs in milliseconds beside @timeout_ms, which holds for each step alone. */
    uint32_t connect_timeout_ms; /* name, connection and TLS; 0: @timeout_ms */
    uint32_t answer_timeout_ms;  /* from the request's last byte to the answer's first; 0: @timeout_ms */
    uint32_t call_timeout_ms;    /* a whole call with its tries and waits; 0: none */

    const char *default_name;   /* the repository of requests that name none (berth/request.h); NULL: none */
    const char *const *headers; /* "Name: value", for every request to the registry itself, and for no other
                                   host */
    size_t n_headers;
    berth_trace_fn trace; /* NULL: none. Runs where callbacks do */
    void *trace_arg;
    berth_warning_fn on_warning; /* NULL: none */
    void *on_warning_arg;

    /* Keep so many requests of what the registry allows (RateLimit-Remaining): when fewer are left, no call
     * of this client sends before its RateLimit-Reset; or, when that is not told or later, before
     * @rate_wait_ms is over, and then one alone, to learn more. 0: none. */
    uint64_t rate_reserve;
    uint32_t rate_wait_ms; /* milliseconds */

    /* Where programs have tags that no registry takes ("1.0+build"): @tag_to_registry makes one that it does
     * of each that a function of this header is given, also of further tags, and of where a list of tags
     * begins; what comes out has to be a valid tag. It runs in the thread that starts a call, so several may
     * be in it at once. @tag_from_registry is asked for each tag of a list, by the thread that drives the
     * client; what it makes may be any text. Digests, the referrers tags of the specification, and requests
     * of berth/request.h stay as they are. NULL: none. */
    berth_tag_name_fn tag_to_registry, tag_from_registry;
    void *tag_name_arg; /* of both; to live as long as the client */
} berth_client_options;
#define BERTH_CLIENT_OPTIONS_INIT                                                                            \
    BERTH_INIT(berth_client_options, BERTH_SET(size, sizeof(berth_client_options)),                          \
               BERTH_SET(timeout_ms, 30000), BERTH_SET(retries, 5), BERTH_SET(first_wait_ms, 500),           \
               BERTH_SET(longest_wait_ms, 60000), BERTH_SET(reads_at_once, 8), BERTH_SET(writes_at_once, 4), \
               BERTH_SET(rate_wait_ms, 900000))

/**
 * Open a client for the registry at @host: "registry.example", "127.0.0.1:5000", "[::1]:5000"; or the same as
 * a URL, "http://localhost:5000", with or without a '/' at its end, which then decides between HTTP and
 * HTTPS. No request is sent yet. @opts may be NULL and is copied. On success *@ret_client belongs to the
 * caller: berth_client_free(). Returns BERTH_OK or a negative berth_code; @err, if not NULL, says why, and
 * *@ret_client is untouched.
 */
BERTH_API int berth_client_new(const char *host, const berth_client_options *opts, berth_client **ret_client,
                               berth_error *err);

/** NULL is fine. Calls must have been freed before. Sessions that failed or freed uploads are taking back get
 * three seconds for it. */
BERTH_API void berth_client_free(berth_client *client);

/** Closes the connections, if nothing is under way, and forgets tokens and what the registry has asked for.
 * The client is as it was when it was opened, and may be used again; closing it twice is harmless. Any
 * thread, not only once. */
BERTH_API void berth_client_close(berth_client *client);

/** Ends every call that is under way with BERTH_E_CANCELLED, and returns when they have ended and the
 * sessions of uploads are taken back, which gets three seconds; from a callback at once, and they end after
 * it. Any thread. */
BERTH_API void berth_client_cancel(berth_client *client);

/** Another default name from now on; NULL: none. BERTH_E_INVALID: not a valid name. */
BERTH_API int berth_client_set_default_name(berth_client *client, const char *name, berth_error *err);

/** Its copy, the caller's to berth_free(); NULL: none is set, or no memory. */
BERTH_API char *berth_client_default_name(berth_client *client);

/* --- event loops --- */

/** A descriptor that is readable when berth_client_process() has something to do. Lent; for poll() and the
 * like, never to be read. */
BERTH_API int berth_client_fd(const berth_client *client);

/** Moves every call as far as it goes without waiting; callbacks run in here. Returns at once when another
 * thread is at it. */
BERTH_API void berth_client_process(berth_client *client);

/* --- calls --- */

/* A call has ended: berth_call_result() says how. */
typedef void (*berth_done_fn)(berth_call *call, void *arg);

/** Have @fn called once when the call has ended, or now if it has. It may free the call. */
BERTH_API void berth_call_on_done(berth_call *call, berth_done_fn fn, void *arg);

/** Have @fn called before each further try of this call, instead of the client's. Before the client is
 * processed next, or from a callback of the call. */
BERTH_API void berth_call_on_retry(berth_call *call, berth_retry_fn fn, void *arg);

/* What a call is about to do, or is at. */
typedef enum berth_step {
    BERTH_STEP_WAITS = 0,    /* for its turn, or for another try */
    BERTH_STEP_CONNECTS = 1, /* name, connection, TLS */
    BERTH_STEP_SENDS = 2,
    BERTH_STEP_ANSWER = 3, /* all is sent, nothing has come */
    BERTH_STEP_RECEIVES = 4,
} berth_step;

typedef struct berth_progress {
    berth_step step;
    unsigned tries; /* that failed so far */
    uint64_t done;  /* bytes of content that are over, also those of earlier tries. It goes back when some
                     * were lost */
    uint64_t total; /* UINT64_MAX: not known */
    uint64_t found; /* of @done: those that this call found there, and had not to move */
} berth_progress;

/** Called at each new step and with each piece of content, by the thread that drives the client. */
typedef void (*berth_progress_fn)(void *arg, const berth_call *call, const berth_progress *progress);

/** Have @fn told how far the call is. Before the client is processed next, or from a callback of the call. */
BERTH_API void berth_call_on_progress(berth_call *call, berth_progress_fn fn, void *arg);

/** Blocks until the call has ended, and returns its result: BERTH_OK, or a negative code with @err filled in.
 * Several threads may wait at once, one of them drives the client. Not from a callback: BERTH_E_INVALID. */
BERTH_API int berth_call_wait(berth_call *call, berth_error *err);

/** The result of a call that has ended, as berth_call_wait() returns it; BERTH_E_BUSY while it is under way.
 */
BERTH_API int berth_call_result(const berth_call *call, berth_error *err);

/* What a source of bytes (berth/upload.h) answers that has nothing yet, a sink that has no room, or who does
 * not know the digest yet: the call pauses, without a time-out but that of the whole call, until
 * berth_call_resume(). */
#define BERTH_PAUSE 0x70617573

/** Has a call that has paused ask again. Any thread, also from a callback, and
 * before the answer BERTH_PAUSE has come back: nothing is lost. No harm to one that has not paused, or has
 * ended. */
BERTH_API void berth_call_resume(berth_call *call);

/** Cancels a call that is under way. When this returns, no callback of it runs or will run, but for the one
 * that this is called from. NULL is fine. */
BERTH_API void berth_call_free(berth_call *call);

/* What a call has found. */
typedef struct berth_content {
    const char *media_type; /* "": the registry does not say */
    const char *digest;     /* "sha256:…"; of what was read it is computed. "": HEAD by tag, and not said */
    uint64_t size;
    const void *data; /* a manifest's bytes, as they came; NULL after HEAD, and for a blob */
} berth_content;

/** Lent until berth_call_free(). NULL unless the call has ended well, and was of manifest or blob. */
BERTH_API const berth_content *berth_call_content(const berth_call *call);

/* How much a registry still allows, as Docker Hub says it in RateLimit-Limit and RateLimit-Remaining, others
 * also in RateLimit-Reset. */
typedef struct berth_rate {
    uint64_t limit, remaining; /* requests */
    uint64_t window_s;         /* in so many seconds; 0: not said */
    uint64_t reset_s;          /* until there are more; 0: not said, or now */
} berth_rate;

/** What the registry said in the call's last answer. False, *@ret_rate untouched: nothing, or the call is
 * under way. */
BERTH_API bool berth_call_rate(const berth_call *call, berth_rate *ret_rate);

/* --- operations ---
 *
 * Inputs are copied. On success *@ret_call belongs to the caller, berth_call_free(); a blocking function
 * hands it out when it has ended well. Failures: BERTH_E_INVALID for an input or an answer that makes no
 * sense, BERTH_E_UNAUTH and BERTH_E_DENIED, BERTH_E_NOT_FOUND, BERTH_E_DIGEST when bytes differ from what was
 * named, BERTH_E_NETWORK, BERTH_E_BUSY when the registry says "later"; @err has the registry's own code and
 * words. */

/** Is there a registry that lets us in? */
BERTH_API int berth_ping(berth_client *client, berth_error *err);
BERTH_API int berth_ping_start(berth_client *client, berth_call **ret_call, berth_error *err);

/* What kinds of manifest the registry may answer with. One that answers with another all the same, as many
 * do, ends the call with BERTH_E_NOT_FOUND. */
typedef enum berth_accept {
    BERTH_ACCEPT_ANY = 0,     /* everything: OCI and Docker, images and indexes, schema 1 too */
    BERTH_ACCEPT_IMAGE = 1,   /* images alone: a registry may choose one of an index */
    BERTH_ACCEPT_INDEX = 2,   /* indexes and lists alone */
    BERTH_ACCEPT_SCHEMA1 = 3, /* Docker's schema 1 alone, signed or not: old registries make one of a newer
                               * image for those who want nothing else */
} berth_accept;

/** The manifest at a tag or digest. Its bytes agree with the digest that was asked for, or else with the one
 * that the registry names; at most 8 MiB. Docker counts the digest of a signed schema 1 without its
 * signatures: that one is right as well, the signatures are not verified. */
BERTH_API int berth_manifest_get(berth_client *client, const char *repository, const char *reference,
                                 berth_accept accept, berth_call **ret_call, berth_error *err);
BERTH_API int berth_manifest_get_start(berth_client *client, const char *repository, const char *reference,
                                       berth_accept accept, berth_call **ret_call, berth_error *err);

/** Type, digest and size alone, as the registry tells them. */
BERTH_API int berth_manifest_head(berth_client *client, const char *repository, const char *reference,
                                  berth_accept accept, berth_call **ret_call, berth_error *err);
BERTH_API int berth_manifest_head_start(berth_client *client, const char *repository, const char *reference,
                                        berth_accept accept, berth_call **ret_call, berth_error *err);

/* One tag, valid for the time of the call. Another answer than 0 ends the listing with BERTH_E_CANCELLED. */
typedef int (*berth_tag_fn)(void *arg, const char *tag);

/** Every tag, page by page: memory does not grow with their number. */
BERTH_API int berth_tag_list(berth_client *client, const char *repository, berth_tag_fn fn, void *arg,
                             berth_error *err);
BERTH_API int berth_tag_list_start(berth_client *client, const char *repository, berth_tag_fn fn, void *arg,
                                   berth_call **ret_call, berth_error *err);

/* Which part of a listing, in what pages. */
typedef struct berth_list_options {
    size_t size; /* set by the initialiser */
    unsigned
        page_size;    /* entries a page; 0: 1000. Smaller ones are asked for where the registry wants that */
    bool one_page;    /* the first page alone; berth_call_has_more() says whether there is another */
    const char *last; /* begin behind this entry; NULL: with the first */
} berth_list_options;
#define BERTH_LIST_OPTIONS_INIT BERTH_INIT(berth_list_options, BERTH_SET(size, sizeof(berth_list_options)))

/** The same with a say in the pages; @opts may be NULL. */
BERTH_API int berth_tag_list_with(berth_client *client, const char *repository,
                                  const berth_list_options *opts, berth_tag_fn fn, void *arg,
                                  berth_call **ret_call, berth_error *err);
BERTH_API int berth_tag_list_with_start(berth_client *client, const char *repository,
                                        const berth_list_options *opts, berth_tag_fn fn, void *arg,
                                        berth_call **ret_call, berth_error *err);

/** Whether a listing that has ended well left something out. */
BERTH_API bool berth_call_has_more(const berth_call *call);

typedef berth_tag_fn berth_name_fn; /* the same for the name of a repository */

/** Every repository that the registry shows us. BERTH_E_UNSUPPORTED, BERTH_E_NOT_FOUND or BERTH_E_DENIED:
 * many show none. */
BERTH_API int berth_catalog(berth_client *client, const berth_list_options *opts, berth_name_fn fn, void *arg,
                            berth_call **ret_call, berth_error *err);
BERTH_API int berth_catalog_start(berth_client *client, const berth_list_options *opts, berth_name_fn fn,
                                  void *arg, berth_call **ret_call, berth_error *err);

/** The digest at a tag, as the registry names it; where it names none to a HEAD, the manifest is fetched and
 * hashed. Content: as of berth_manifest_head(). */
BERTH_API int berth_manifest_digest(berth_client *client, const char *repository, const char *reference,
                                    berth_call **ret_call, berth_error *err);
BERTH_API int berth_manifest_digest_start(berth_client *client, const char *repository, const char *reference,
                                          berth_call **ret_call, berth_error *err);

typedef struct berth_manifest_put_options {
    size_t size;             /* set by the initialiser */
    const char *media_type;  /* NULL: as the manifest says, or as its fields show */
    const char *const *tags; /* further tags; lent for the time of the call that starts it */
    size_t n_tags;
    bool no_fallback; /* leave the referrers tag alone where the registry has no referrers API */
} berth_manifest_put_options;
#define BERTH_MANIFEST_PUT_OPTIONS_INIT                                                                      \
    BERTH_INIT(berth_manifest_put_options, BERTH_SET(size, sizeof(berth_manifest_put_options)))

/** Puts a manifest of @n bytes at @reference: a tag, its digest (BERTH_E_DIGEST: it has another), or NULL,
 * which is its sha256 digest. What it refers to has to be there. With further tags all are asked for at once,
 * and one by one what the registry doesn't set so ("Pushing Manifests"). A manifest with a subject is entered
 * in the referrers tag where the registry has no referrers API. @opts may be NULL. Content: digest, type,
 * size. */
BERTH_API int berth_manifest_put(berth_client *client, const char *repository, const char *reference,
                                 const void *bytes, size_t n, const berth_manifest_put_options *opts,
                                 berth_call **ret_call, berth_error *err);
BERTH_API int berth_manifest_put_start(berth_client *client, const char *repository, const char *reference,
                                       const void *bytes, size_t n, const berth_manifest_put_options *opts,
                                       berth_call **ret_call, berth_error *err);

/** Removes the manifest @digest, with every tag on it, and its entry in the referrers tag of its subject
 * where the registry has no referrers API. */
BERTH_API int berth_manifest_delete(berth_client *client, const char *repository, const char *digest,
                                    berth_error *err);
BERTH_API int berth_manifest_delete_start(berth_client *client, const char *repository, const char *digest,
                                          berth_call **ret_call, berth_error *err);

/** Sets @tag on the manifest at @reference: it comes over the wire and goes back, its blobs don't. Content:
 * the manifest's. */
BERTH_API int berth_tag_add(berth_client *client, const char *repository, const char *reference,
                            const char *tag, berth_call **ret_call, berth_error *err);
BERTH_API int berth_tag_add_start(berth_client *client, const char *repository, const char *reference,
                                  const char *tag, berth_call **ret_call, berth_error *err);

/** Removes @tag; with @purge the manifest as well, and so every other tag on it. BERTH_E_UNSUPPORTED: the
 * registry deletes manifests alone. */
BERTH_API int berth_tag_delete(berth_client *client, const char *repository, const char *tag, bool purge,
                               berth_error *err);
BERTH_API int berth_tag_delete_start(berth_client *client, const char *repository, const char *tag,
                                     bool purge, berth_call **ret_call, berth_error *err);

/* One that refers to a manifest, valid for the time of the call. */
typedef struct berth_referrer {
    const char *digest, *media_type;
    const char *artifact_type; /* "": none */
    uint64_t size;
    const char *annotations; /* a JSON object as text; "": none */
} berth_referrer;
/* Another answer than 0 ends the listing with BERTH_E_CANCELLED. */
typedef int (*berth_referrer_fn)(void *arg, const berth_referrer *referrer);

/** What refers to the manifest @digest; with @artifact_type that alone, filtered here where the registry
 * doesn't. From the referrers tag where there is no referrers API ("Listing Referrers"). */
BERTH_API int berth_referrers_list(berth_client *client, const char *repository, const char *digest,
                                   const char *artifact_type, berth_referrer_fn fn, void *arg,
                                   berth_error *err);
BERTH_API int berth_referrers_list_start(berth_client *client, const char *repository, const char *digest,
                                         const char *artifact_type, berth_referrer_fn fn, void *arg,
                                         berth_call **ret_call, berth_error *err);

/* The next bytes of a blob. BERTH_PAUSE: no room for them now, they are to be offered again. Another answer
 * than 0 ends the call with BERTH_E_CANCELLED. */
typedef int (*berth_sink_fn)(void *arg, const void *p, size_t n);

/** A blob, in pieces. Its digest is computed on the way: what @fn was given is not to be trusted before the
 * call has ended well. */
BERTH_API int berth_blob_get(berth_client *client, const char *repository, const char *digest,
                             berth_sink_fn fn, void *arg, berth_call **ret_call, berth_error *err);
BERTH_API int berth_blob_get_start(berth_client *client, const char *repository, const char *digest,
                                   berth_sink_fn fn, void *arg, berth_call **ret_call, berth_error *err);

/** What the registry says of a blob: content with its size. BERTH_E_NOT_FOUND: it is not in this repository.
 */
BERTH_API int berth_blob_head(berth_client *client, const char *repository, const char *digest,
                              berth_call **ret_call, berth_error *err);
BERTH_API int berth_blob_head_start(berth_client *client, const char *repository, const char *digest,
                                    berth_call **ret_call, berth_error *err);

/** Removes a blob from a repository. BERTH_E_UNSUPPORTED where the registry doesn't do that. */
BERTH_API int berth_blob_delete(berth_client *client, const char *repository, const char *digest,
                                berth_error *err);
BERTH_API int berth_blob_delete_start(berth_client *client, const char *repository, const char *digest,
                                      berth_call **ret_call, berth_error *err);

#ifdef __cplusplus
}
#endif
#endif
