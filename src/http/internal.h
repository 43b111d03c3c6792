/* http/internal.h - what the files of the server share. No type of libuv, llhttp or OpenSSL is seen here: the
 * loop is driven through http_loop_*(), TLS through http_tls_*().
 *
 * Who touches what: a loop's fields, its connections and their requests belong to the loop's thread. While
 * req->busy is set, a worker owns the public request, its arena and its answer; the loop then only fills
 * body buffers. The hand-over both ways goes through a mutex. */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "http/block.h"
#include "http/server.h"

struct ssl_st;
struct http_conn;
struct http_req;
struct http_loop;

#define HTTP_SCRATCH      (64 * KIB) /* a loop's read buffer, and its buffer for TLS records */
#define HTTP_SEND_TURN    MIB        /* bytes one connection sends before others get their turn */
#define HTTP_LINGER_MS    2000       /* half-closed, waiting for the client to see the answer */
#define HTTP_ADDRESS_TEXT 46

/* --- worker.c: the pool --- */
struct http_job {
    struct http_job *next;
    void (*run)(struct http_job *job);
};
struct http_pool;
/* At most so many threads; the first now, the others when a job finds none idle. */
int http_pool_new(unsigned threads, struct http_pool **ret_pool, berth_error *err);
bool http_pool_push(struct http_pool *pool, struct http_job *job); /* false: it has ended, @job is not run */
size_t http_pool_waiting(struct http_pool *pool);
void http_pool_end(struct http_pool *pool);  /* runs what waits, then ends the threads; NULL is fine */
void http_pool_free(struct http_pool *pool); /* the same, and frees */

/* --- peers.c: how many connections and requests each address holds --- */
struct http_peers;
enum http_peer_kind { HTTP_PEER_CONNECTIONS, HTTP_PEER_REQUESTS, HTTP_PEER_KINDS_ };
struct http_address {
    unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};
struct http_peers *http_peers_new(uint32_t connections, uint32_t requests); /* at most, for each address */
void http_peers_free(struct http_peers *p);
/* False: over the limit, or no memory; not counted. */
bool http_peers_enter(struct http_peers *p, const struct http_address *a, enum http_peer_kind kind);
void http_peers_leave(struct http_peers *p, const struct http_address *a, enum http_peer_kind kind);

/* --- proxy.c: whom we believe about the client --- */
struct http_proxies;
int http_proxies_new(const char *const *list, size_t n, struct http_proxies **ret_p, berth_error *err);
void http_proxies_free(struct http_proxies *p);
/* @a NULL: a peer on a unix socket. */
bool http_proxies_trust(const struct http_proxies *p, const struct http_address *a);
bool http_address_parse(berth_str text,
                        struct http_address *ret); /* "1.2.3.4", "::1", with a port or brackets too */
void http_address_print(const struct http_address *a, char out[HTTP_ADDRESS_TEXT]);
/* The rightmost address of an X-Forwarded-For list that is not a trusted proxy's; false: none is readable. */
bool http_forwarded_for(const struct http_proxies *p, berth_str list, struct http_address *ret);

/* --- forwarded.c: the same by RFC 7239 --- */
struct http_forwarded {
    struct http_address address; /* of the client; only if @has_address */
    bool has_address;
    berth_str scheme; /* "http", "https" or empty */
    berth_str host;   /* an authority or empty */
};
/* Takes in one more Forwarded field, those of a request in their order; *@f starts as {0}. Its views lie in
 * @field and @arena. BERTH_E_INVALID: malformed, *@f is of no use then; BERTH_E_NOMEM. */
int http_forwarded_add(const struct http_proxies *p, berth_str field, berth_arena *arena,
                       struct http_forwarded *f);

/* --- tls.c --- */
struct http_tls_config; /* the files of one listener and the context made from them */
int http_tls_config_new(const struct http_tls *files, struct http_tls_config **ret_c, berth_error *err);
void http_tls_config_free(struct http_tls_config *c);
/* Reading anew is prepared for all listeners first, then put to use, so that it is all or none. */
int http_tls_prepare(struct http_tls_config *c, berth_error *err);
void http_tls_commit(struct http_tls_config *c, bool use);

enum { HTTP_IO_AGAIN = -1, HTTP_IO_BROKEN = -2 }; /* else bytes; 0 from a read: the end */
enum { HTTP_READ = 1, HTTP_WRITE = 2 };

struct ssl_st *http_tls_accept(struct http_tls_config *c, int fd); /* NULL without memory */
int http_tls_handshake(struct ssl_st *s, unsigned *ret_wants);     /* 1: done, or HTTP_IO_… */
ssize_t http_tls_recv(struct ssl_st *s, void *p, size_t n, unsigned *ret_wants);
ssize_t http_tls_send(struct ssl_st *s, const void *p, size_t n, unsigned *ret_wants);
void http_tls_shutdown(struct ssl_st *s);
void http_tls_free(struct ssl_st *s);

/* --- listen.c: addresses and sockets --- */
struct http_listener {
    struct http_listener *next;
    int *fds; /* one for each loop, or a single one that all poll */
    size_t n_fds;
    char *unix_path; /* to be removed at the end; else NULL */
    bool is_unix;
    struct http_tls_config *tls; /* shared by the addresses of one http_server_listen() */
    bool owns_tls;
    atomic_size_t users; /* loops that poll a shared descriptor */
};
int http_listeners_open(const char *address, size_t n_loops, unsigned socket_mode,
                        struct http_listener **ret_list, char **ret_address, berth_error *err);
void http_listeners_free(struct http_listener *list);
/* A loop accepts no more from @fd of @l; the last one closes it, so that clients are refused at once. */
void http_listener_leave(struct http_listener *l, int *fd);

/* --- the answer: response.c builds it, send.c sends it --- */
struct http_item { /* one header line */
    struct http_item *next;
    berth_str name, value;
};
struct http_segment {
    struct http_segment *next;
    const char *p; /* memory; NULL: a file */
    char *given;   /* p, to be freed */
    uint64_t n;
    int fd;
    uint64_t offset;
};
struct http_answer {
    bool set, failed, close_after, length_only, head_dropped;
    int status;
    uint64_t length; /* for length_only */
    struct http_item *items, **items_end;
    struct http_segment *first, *last;
    struct http_segment head; /* status line and headers */
    struct http_segment *at;  /* what leaves next, and how much of it has left */
    uint64_t at_offset;
    uint64_t sent; /* head included */
};
void http_answer_reset(struct http_answer *a);
/* Makes the head. False: no memory, or the handler's answer was faulty. */
bool http_answer_finish(struct http_req *req, bool keep);

/* --- requests --- */
struct http_buffer {
    struct http_buffer *next;
    size_t n, cap;
    uint64_t received; /* of a queued one: how much of the body had come with it */
    bool last;         /* of a queued one: nothing comes after it */
    char bytes[];
};
struct http_req {
    http_request pub;
    http_server *server;
    struct http_conn *conn;
    struct http_block block;
    struct http_plan plan;
    struct http_answer answer;
    struct http_job job;
    bool busy; /* a worker runs run_…, or brings pages in */
    bool handed_over;
    bool counted, counted_by_peer; /* as in flight, against the limits */
    bool has_address;              /* of the client, as far as we believe who it is */
    struct http_address address;
    bool starved; /* no second buffer: what arrives waits for the worker */
    bool begun, ended;
    int fault; /* status of a refusal found in the body, with its reason */
    struct http_refusal fault_why;
    bool run_begin, run_end;
    struct http_buffer *running, *filling;
    /* While a worker is at one piece of a body the next one is left here for it: waiting for the loop between
     * two pieces cost an eighth of the time of a large push. The worker leaves its old buffer in exchange. */
    _Atomic(struct http_buffer *) queued, spare;
    atomic_bool stuck; /* the loop has a full buffer and no place for it: tell it when there is one */
    struct http_req *next_unstuck; /* this and the next are guarded by the loop's lock */
    bool unstuck;                  /* in the loop's list of such */
    berth_buf collected;
    size_t charged;        /* bytes of @collected counted against the loop's buffers */
    struct http_req *next; /* in a list of free ones, or of those that come back from a worker */
    struct http_job warm_job;
    uint64_t warm_from, warm_to; /* of the file that leaves: known or hoped to be in memory up to here */
};
/* request.c. New ones carry an id and the time; NULL without memory. */
struct http_req *http_req_new(struct http_conn *c);
/* Fills in path, query, host, scheme, prefix and peer. 0, or the status of a refusal. */
int http_req_describe(struct http_req *req, struct http_refusal *ret_why);
void http_req_release(struct http_req *req); /* calls done(), here or on a worker; then frees */
void http_req_run(struct http_req *req);     /* the handlers that run_… names, in this thread */
static inline struct http_req *http_req_of(http_request *pub)
{
    return CONTAINER_OF(pub, struct http_req, pub);
}
static inline const struct http_req *http_req_of_const(const http_request *pub)
{
    _Static_assert(offsetof(struct http_req, pub) == 0, "the public part stands first");
    return (const struct http_req *)(const void *)pub;
}

/* --- connections --- */
enum http_conn_state {
    CONN_HANDSHAKE, /* TLS */
    CONN_IDLE,      /* no byte of a request is here */
    CONN_HEADER,    /* some are */
    CONN_BODY,      /* a request is with its handlers */
    CONN_ANSWER,    /* its answer leaves */
    CONN_DRAIN,     /* what is left of its body is dropped */
    CONN_LINGER,    /* we have closed our half */
    CONN_GONE,      /* closed; a worker may still hold the request */
    CONN_STATES_
};
struct http_chunked;
struct http_body {
    bool complete, expects; /* expects: the client waits for 100 Continue */
    uint64_t left;          /* of a body with Content-Length */
    struct http_chunked *chunked;
    uint64_t received;
};
struct http_conn {
    struct http_loop *loop;
    struct http_conn *prev, *next;  /* all of the loop */
    struct http_conn *next_waiting; /* for a body buffer */
    struct http_conn *next_ready;   /* for another turn */
    struct http_req *req;
    struct ssl_st *tls;
    int fd;
    unsigned char state;   /* enum http_conn_state */
    unsigned char watched; /* HTTP_READ | HTTP_WRITE */
    unsigned char tls_wants;
    unsigned char interim; /* bytes of "100 Continue" still to send */
    bool greeted;          /* TLS: the client's first byte was looked at */
    short turned_away;     /* TLS: the status to be told after the handshake */
    bool is_tls, is_unix, counted, surplus, trusted;
    bool keep; /* for another request after this one */
    bool waiting, ready;
    bool yields;    /* what its buffer holds goes to the handlers now */
    bool blocked;   /* the socket takes no more for now */
    bool ended;     /* the client has closed its half */
    bool more;      /* OpenSSL may hold bytes that no poll tells of */
    bool measured;  /* how far away its peer is (window.c) */
    bool blank;     /* one empty line before the request was skipped */
    const char *in; /* bytes received and not used: in @hold or the loop's read buffer */
    size_t in_n, scanned;
    berth_buf hold;
    struct http_body body;
    int64_t started_us, deadline_ms;
    uint64_t mark; /* what had been moved when the deadline was set */
    uint64_t drained;
    uint64_t seen;    /* of the body, when somebody last waited for a buffer */
    size_t tls_retry; /* bytes of a record that OpenSSL wants to see again */
    struct http_address address;
    char peer[HTTP_ADDRESS_TEXT];
};

/* admission.c */
int http_conn_admit(struct http_conn *c); /* 0, a status to turn it away with, or -1: without a word */
void http_conn_dismiss(struct http_conn *c);
int http_req_admit(struct http_req *req, struct http_refusal *ret_why); /* 0, 429 or 503 */
void http_req_dismiss(struct http_req *req);

/* connection.c */
void http_conn_open(struct http_conn *c, int refuse_status); /* just accepted; 0: welcome */
void http_conn_event(struct http_conn *c, unsigned events);
void http_conn_resume(struct http_conn *c);   /* its turn has come, or a buffer is free */
void http_conn_returned(struct http_conn *c); /* its worker is back */
void http_conn_unstuck(struct http_conn *c);  /* its worker is busy still, and took the next piece */
void http_conn_tick(struct http_conn *c);     /* its deadline has passed */
void http_conn_yield(struct http_conn *c);    /* others wait for a buffer */
void http_conn_stop(struct http_conn *c, bool now);

/* body.c */
void http_input_use(struct http_conn *c, size_t n); /* the first @n bytes of the input are done with */
void http_body_take(struct http_conn *c);           /* input goes into the body as far as there is room */
/* How many bytes may be taken from the client now. @get: a buffer is fetched if one is needed. */
size_t http_body_room(struct http_conn *c, bool get);
/* A large body comes: of a near peer's, little waits in the kernel. */
void http_window_bound(struct http_conn *c);
char *http_body_direct(struct http_conn *c); /* where that room is, when bytes may go there as they are */
void http_body_filled(struct http_conn *c, size_t n); /* they have */
bool http_body_is_small(const struct http_conn *c);   /* one buffer of its size will do */
bool http_body_too_long(const struct http_req *req, uint64_t n);
/* Refuse the request, when we may; @limit as in struct http_refusal. */
void http_body_fault(struct http_conn *c, int status, const char *reason, uint64_t limit);
void http_body_lose(
    struct http_conn *c); /* where the next request starts is not known: what follows is dropped */
void http_body_forget(struct http_conn *c); /* done with it */

/* send.c. 1: all has left; 0: wait (for the socket, or for a worker when req->busy); -1: broken. */
int http_send(struct http_conn *c);
/* Bytes of the answer that the client's side has confirmed, more or less. */
uint64_t http_send_confirmed(const struct http_conn *c);
/* Sends a few bytes; those taken, or HTTP_IO_…. */
ssize_t http_send_bytes(struct http_conn *c, const void *p, size_t n);

/* --- pieces.c: the buffers of a body that a worker has --- */
void http_pieces_leave(struct http_conn *c); /* a full buffer for the worker that has the one before; not the
                                              * last, and not while others wait for a buffer */
bool http_pieces_next(
    struct http_req *req); /* on the worker: it has another one, unless others wait for it */
struct http_buffer *http_pieces_spare(struct http_conn *c); /* one that the worker has given back, or NULL */
void http_pieces_done(struct http_conn *c);                 /* the worker is back */
void http_pieces_drop(struct http_conn *c);                 /* all of them go back to the loop */

/* --- server.c: loops --- */
struct http_loop {
    http_server *server;
    int64_t now_ms;
    char *read_buffer, *write_buffer; /* HTTP_SCRATCH bytes each */
    struct http_field *fields;        /* limits.header_count */
    char date[32];
    uint64_t random[2];
    struct http_conn *conns, *ready;
    size_t n_conns;
    struct http_conn *waiting, **waiting_end;
    struct http_req *free_reqs;
    size_t n_free_reqs;
    struct http_buffer *free_buffers;
    size_t buffers_used, free_bytes; /* bytes of stream buffers, in use and kept */
    size_t collected;                /* bytes of collected bodies */
    size_t buffers_max;              /* of each */
    unsigned events;                 /* of connections in this round */
    bool stopping;
    atomic_uint_least64_t requests, bytes_in, bytes_out, refused;
    atomic_int_least64_t ticked_ms; /* clock_mono_ms() of its timer's last turn */
};
void http_loop_watch(struct http_conn *c, unsigned events);
void http_loop_close(struct http_conn *c); /* closes the socket; @c stays until http_loop_forget() */
void http_loop_forget(struct http_conn *c);
void http_loop_ready(struct http_conn *c);                         /* another turn for @c, after the others */
void http_loop_post(struct http_loop *l, struct http_req *req);    /* from a worker: @req is back */
void http_loop_unstick(struct http_loop *l, struct http_req *req); /* from a worker: it took @req->queued */

/* buffers.c: a loop's share of the memory for bodies */
struct http_buffer *http_buffer_get(struct http_loop *l, size_t cap); /* NULL: exhausted */
void http_buffer_put(struct http_loop *l, struct http_buffer *b);
void http_buffer_wait(struct http_conn *c); /* resumed when one is free */
void http_buffer_wait_no_more(struct http_conn *c);
void http_buffer_wake_one(struct http_loop *l);
/* @n more bytes of a collected body that has been charged for @have. */
bool http_buffer_charge(struct http_loop *l, size_t n, size_t have);
void http_buffer_discharge(struct http_loop *l, size_t n);
void http_buffers_free(struct http_loop *l);

struct http_server {
    struct http_app app;
    struct http_limits limits;
    struct http_timeouts timeouts;
    char *prefix, *server_name; /* prefix: "" or "/my/path" */
    struct http_item *headers;  /* own response headers */
    berth_arena arena;          /* of the above */
    struct http_proxies *proxies;
    struct http_peers *peers; /* NULL: no limit by address */
    struct http_listener *listeners;
    struct http_pool *pool;
    void *loops; /* of server.c */
    unsigned n_loops, n_workers, socket_mode;
    atomic_uint_least64_t connections;
    atomic_uint_least64_t surplus;  /* of these: above a limit, and being told so */
    atomic_uint_least64_t requests; /* in flight; counted where they are limited */
    atomic_bool stopping;
    bool started, joined;
    pthread_mutex_t tls_lock; /* one reload at a time */
};

/* options.c */
int http_options_apply(struct http_server *s, const struct http_options *opts, unsigned cores,
                       berth_error *err);

static inline void http_count(atomic_uint_least64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

#endif
