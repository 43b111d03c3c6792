/* bench/load.h - many keep-alive connections over few threads: what all modes of the driver share.
 *
 * Each client is one connection with one request under way (a closed loop). A mode writes requests and judges
 * answers; an operation is one request or several, and its latency is from the first byte sent to the last
 * one read. Nothing is allocated once the clock runs.
 *
 * A body is a short text of its own, written behind the header, and then bytes of a pattern that all share:
 * so every blob is unique and none is ever copied. Byte i of a blob beyond its stamp is byte i modulo
 * LOAD_PATTERN of the pattern. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdatomic.h>

#include "histogram.h"
#include "util/hash.h"

#define LOAD_OUT_MAX  (8 * KIB)  /* a header and what of its body is not pattern */
#define LOAD_IN_MAX   (16 * KIB) /* an answer's header */
#define LOAD_LOCATION 1024
#define LOAD_PATTERN  (16 * MIB)
#define LOAD_STAMP    32 /* bytes at the start of a blob that make it unique */

struct load_options {
    const char *host, *port;
    unsigned threads, clients;
    double seconds;       /* 0: until @operations are done */
    uint64_t operations;  /* 0: until @seconds are over */
    uint64_t window;      /* note the time after each so many operations; needs @operations. 0: never */
    const char *headers;  /* whole lines, each with its CRLF, for every request; "": none */
    uint64_t size, chunk; /* of blobs; chunk 0: in one piece */
    const char *repository;
    unsigned repositories; /* 0: @repository itself; else that many, a number behind its name */
    const char *touch;     /* a folder on whose disk the page cache is made ready for big blobs; NULL: not */
    bool single;           /* a blob by one POST instead of POST and PUT */
    const char *const *paths;
    size_t n_paths;
};

struct load_client {
    uint64_t operation; /* unique among all clients */
    unsigned step;      /* 0 at the start of an operation; the mode counts on */
    char out[LOAD_OUT_MAX];
    size_t out_n;
    uint64_t fill, fill_from; /* bytes of the pattern that follow, and where in the blob they stand */
    bool head;                /* a HEAD: no body in the answer */
    int status;
    char location[LOAD_LOCATION]; /* path and query; "" when the answer had none */
    void *state;                  /* of ops->state_size bytes, zero at first */
};

enum load_verdict { LOAD_MORE, LOAD_DONE, LOAD_FAILED };

struct load;
struct load_ops {
    const char *name;
    size_t state_size;
    bool needs_pattern;
    int (*prepare)(struct load *l, berth_error *err); /* before the clock runs; may be NULL */
    /* Writes the client's next request by load_add() and the fields above. */
    void (*request)(struct load *l, struct load_client *c);
    enum load_verdict (*answer)(struct load *l, struct load_client *c);
};

struct load {
    const struct load_options *o;
    const struct load_ops *ops;
    char *pattern;
    uint64_t seed;              /* makes blobs differ from those of another run */
    void *prepared;             /* of ops->prepare(), from malloc() */
    atomic_uint_fast64_t taken; /* operations begun */
    atomic_uint_fast64_t done;  /* operations that went well */
    int64_t *windows;           /* microseconds from the start */
    size_t n_windows;
    int64_t started, ended;       /* clock_mono_us() */
    struct histogram latency;     /* from here on: when all is over */
    uint64_t failed, reconnected; /* operations; connections that the server closed */
    uint64_t received;            /* bytes of answers' bodies, also of those cut short by the end */
    char first_failure[256];
};

int load_run(struct load *l, berth_error *err);
void load_done(struct load *l);

/* Adds to the request. What does not fit is a mistake of the driver and ends it. */
void load_add(struct load_client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The first line and the headers that every request has. A body of @length bytes follows when @type is given.
 */
void load_head(const struct load *l, struct load_client *c, const char *method, const char *path,
               const char *type, uint64_t length);

#endif
