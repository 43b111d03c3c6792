/* http/server.h - the HTTP/1.1 server: loops, connections, workers. It knows nothing of registries.
 *
 * One application (struct http_app) answers all requests. For each request, when its header is complete,
 * app->route() is called on the loop, must not block, and fills a plan: where the handlers run, and what
 * becomes of the body. Handlers are plain functions:
 *
 *   body NONE or COLLECT   plan.end(req) runs once; the whole body (COLLECT) is http_body(req).
 *   body STREAM            plan.begin(req), then plan.piece(req, p, n) for each full buffer, then
 *                          plan.end(req) when the body is complete. Each runs to completion; while one works
 *                          on a buffer the loop fills the other (docs/internals/http.md).
 *
 * A handler answers by http_respond() and friends and returns; the answer leaves when it has returned. A
 * begin or piece that has called http_respond() ends the request: the rest of the body is drained for a
 * bounded time so that the client sees the answer. plan.done(req), if set, runs exactly once per request
 * whose route succeeded, last of all, on a worker for WORKER plans and on the loop for INLINE ones, whether
 * the client stayed or left: there state is released. With the client gone in mid-body, end() is not called,
 * done() is.
 *
 * A handler that returns without having answered makes a 500. Handlers of one request never run at the same
 * time, but may run on different threads. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http/refusal.h"
#include "util/arena.h"
#include "util/buf.h"

typedef struct http_server http_server;
typedef struct http_request http_request;

enum http_method {
    HTTP_GET = 1 << 0,
    HTTP_HEAD = 1 << 1,
    HTTP_PUT = 1 << 2,
    HTTP_POST = 1 << 3,
    HTTP_PATCH = 1 << 4,
    HTTP_DELETE = 1 << 5,
    HTTP_OPTIONS = 1 << 6,
    HTTP_OTHER = 1 << 7, /* a valid token that is none of the above */
};

enum http_where { HTTP_INLINE, HTTP_WORKER };
enum http_body_mode {
    HTTP_BODY_NONE,    /* what a client sends all the same is read and dropped, within limits */
    HTTP_BODY_COLLECT, /* whole, up to plan.max_body bytes; 413 by app->too_big() above */
    HTTP_BODY_STREAM,
};

typedef void http_handler(http_request *req);

struct http_plan {
    enum http_where where;
    enum http_body_mode body;
    uint64_t max_body;                                         /* COLLECT: bytes; STREAM: 0 = no limit */
    http_handler *begin;                                       /* STREAM; may be NULL */
    void (*piece)(http_request *req, const void *p, size_t n); /* STREAM */
    http_handler *end;
    http_handler *done; /* may be NULL */
};

struct http_app {
    void *data; /* http_app_data(req) */

    /* Fills @plan, or answers at once by http_respond() and leaves plan->end NULL. On the loop: no blocking.
     */
    void (*route)(http_request *req, struct http_plan *plan);

    /* Writes the body of an answer that the server itself must give: a malformed request (400), a limit (413,
     * 414, 431, 429, 503), a time-out (408), a handler without an answer (500). @req may lack method, target
     * and headers. The status is set already; add headers and a body. NULL: a bare answer. */
    void (*refuse)(http_request *req, int status, const struct http_refusal *why);

    /* Called on the loop when the last byte of an answer has left or the connection broke: access log,
     * metrics. May be NULL. */
    void (*finished)(http_request *req);
};

/* --- what a handler may read; valid until done() has returned --- */
struct http_request {
    unsigned method; /* one enum http_method */
    berth_str method_text;
    berth_str path;         /* as sent, still percent-encoded, below the server's prefix, from "/" on */
    berth_str query;        /* as sent, without '?' */
    berth_str host;         /* authority for absolute URLs: Host, or what a trusted proxy forwards */
    berth_str scheme;       /* "http" or "https", or what a trusted proxy forwards */
    berth_str prefix;       /* "" or "/my/path": stands before path in URLs we print */
    berth_str peer;         /* address of the client (through trusted proxies), without port; "unix" */
    char id[33];            /* request id, for logs and the X-Request-Id answer header */
    int64_t content_length; /* -1: none sent */
    bool chunked;           /* the body comes in chunked coding */
    uint64_t body_received; /* bytes of decoded body so far */
    berth_arena arena;      /* freed after done() */
    void *state;            /* the application's own */
    const void *route;      /* the application's own, set by route() */

    /* for finished() */
    int status;          /* of the answer; 0: none was sent */
    uint64_t bytes_sent; /* of its body */
    int64_t started_us;  /* clock_mono_us() when the first byte of the request came */
    bool aborted;        /* the client left before the answer was out, or the server had to break it off: */
    int unreadable;      /* errno of reading a file of the answer on its way; ENODATA: it ended early; 0 */
};

void *http_app_data(const http_request *req);
berth_str http_header(const http_request *req, const char *name); /* first of that name; .p NULL: absent */
/* All values of a list header joined by ", " in the arena; .p NULL: absent. */
berth_str http_header_list(http_request *req, const char *name);
size_t http_header_count(const http_request *req, const char *name);
berth_str http_body(const http_request *req); /* COLLECT: the whole body */

/* --- the answer --- */
void http_respond(http_request *req,
                  int status); /* sets the status; a later call replaces everything set so far */
int http_answer_status(const http_request *req); /* as set, whether or not it reached the client; 0: none */
bool http_responded(const http_request *req);
void http_set_header(http_request *req, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3,
                          4))); /* replaces one of that name; CR, LF, NUL in the value make a 500 */
void http_add_header(http_request *req, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))); /* beside others of that name */

/* The body is the concatenation of segments, in the order added; Content-Length is their sum (printed for
 * HEAD too, whose segments are dropped unsent). Without a segment: Content-Length: 0, or none for 204 and
 * 304. */
void http_body_lend(http_request *req, berth_str bytes);   /* stays valid until done() */
void http_body_copy(http_request *req, berth_str bytes);   /* copied to the arena */
void http_body_give(http_request *req, char *p, size_t n); /* from mem_alloc(); freed by the server */
/* @length bytes of @fd from @offset by sendfile; the server closes a dup of its own, the caller keeps @fd. */
int http_body_file(http_request *req, int fd, uint64_t offset, uint64_t length, berth_error *err);
/* For HEAD and 304 of something that would be dear to open: the length alone. */
void http_body_length(http_request *req, uint64_t length);
/* Close after this answer. */
void http_close_after(http_request *req);

/* From an INLINE end() that finds it must block (a lease to prolong, say): answers nothing now; @again runs
 * on a worker, then done(), if set, there too. */
void http_hand_over(http_request *req, http_handler *again);

/* --- the server --- */
struct http_limits {               /* 0 in any field: the default in brackets */
    uint32_t header_bytes;         /* request line and headers [32 KiB] */
    uint32_t header_count;         /* [100] */
    uint32_t uri_bytes;            /* [16 KiB]: 414 */
    uint32_t connections;          /* in all [16384]: accept, 503 with Retry-After, close */
    uint32_t connections_per_peer; /* 0: no limit; 429 with Retry-After */
    uint32_t requests;             /* in flight at once; 0: no limit; 503 with Retry-After */
    uint32_t requests_per_peer;    /* 0: no limit; 429 with Retry-After */
    uint64_t drain_bytes;          /* read after an early answer [1 GiB] */
    uint32_t buffer_bytes;         /* each of an upload's two [512 KiB] */
    uint64_t buffers_total;        /* bytes of upload buffers in all [256 MiB]: uploads wait their turn */
};
struct http_timeouts {  /* milliseconds; 0: the default in brackets */
    uint32_t header;    /* from the first byte to the end of the header [30 s] */
    uint32_t body;      /* body must progress by body_rate x this [30 s] */
    uint32_t body_rate; /* bytes per second, both ways [500] */
    uint32_t idle;      /* keep-alive between requests [75 s] */
    uint32_t drain;     /* after an early answer [30 s] */
    uint32_t stop;      /* for running requests after http_server_stop() [30 s] */
};
struct http_options {
    unsigned loops;   /* threads; 0: one per core */
    unsigned workers; /* threads; 0: max(32, 4 per core) */
    struct http_limits limits;
    struct http_timeouts timeouts;
    const char *prefix;                 /* "/my/path" or NULL; other paths are 404 */
    const char *const *trusted_proxies; /* addresses or CIDR; whose Forwarded and X-Forwarded-* count */
    size_t n_trusted_proxies;
    const char *const *headers; /* own response headers, "Name: value", on each answer */
    size_t n_headers;
    const char *server_name; /* the Server header, or NULL */
    unsigned socket_mode;    /* of unix sockets listened on; 0: what the umask leaves */
};

/* @app and what it points at must outlive the server; @opts is copied. */
int http_server_new(const struct http_app *app, const struct http_options *opts, http_server **ret_s,
                    berth_error *err);

struct http_tls {
    const char *certificate, *key; /* PEM files; the certificate may hold a chain */
    const char *client_ca;         /* PEM; NULL: no client certificates are asked for */
    const char *minimum;           /* "1.2" (default when NULL) or "1.3" */
    const char *ciphers;           /* OpenSSL's cipher list for TLS 1.2; NULL: HTTP_TLS_CIPHERS */
};

/* Forward secrecy and authenticated encryption, as every suite of TLS 1.3 has them. */
#define HTTP_TLS_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* Whether OpenSSL finds a cipher for TLS 1.2 in @list. */
bool http_tls_knows_ciphers(const char *list);

/* "host:port", ":port", "[v6]:port" (host empty: both families), "unix:/path", "fd:N" (an inherited listening
 * socket). @tls NULL: plain. On success *@ret_address (mem_alloc) is what it is bound to, port 0 resolved. */
int http_server_listen(http_server *s, const char *address, const struct http_tls *tls, char **ret_address,
                       berth_error *err);
/* Reads the certificates and keys again, all or none; running connections keep theirs. Any thread. */
int http_server_reload_tls(http_server *s, berth_error *err);

int http_server_start(http_server *s, berth_error *err); /* threads run from here on */
void http_server_stop(
    http_server *s); /* any thread, not a signal handler: stop accepting, finish what runs, bounded */
void http_server_join(http_server *s); /* until every thread has ended */
void http_server_free(http_server *s); /* NULL is fine; after join, or never started */

/* Runs @work(@arg) on a worker thread, after those that wait. BERTH_E_CANCELLED once stopping. */
int http_server_submit(http_server *s, void (*work)(void *arg), void *arg, berth_error *err);

struct http_stats {
    uint64_t connections;         /* open now */
    uint64_t requests;            /* answered since start */
    uint64_t bytes_in, bytes_out; /* of bodies */
    uint64_t worker_queue;        /* waiting for a worker now */
    uint64_t refused;             /* by a limit or as malformed, since start */
    int64_t still_ms;             /* since the last turn of the loop that is longest without one: half a
                                     second or less, unless something holds it */
};
void http_server_stats(http_server *s, struct http_stats *ret); /* any thread */

#endif
