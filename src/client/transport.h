/* client/transport.h - what the halves of the transport share: the descriptor that everybody waits on, the
 * steps of exchanges and their time-outs (transport.c), libcurl (client_curl.c), and connections of our own
 * for plain HTTP (plain*.c). An exchange is carried by one of the two. */
#ifndef CLIENT_TRANSPORT_H
#define CLIENT_TRANSPORT_H

#include "client/internal.h"
#include "client/route.h"

#define HEADER_MAX   (256 * KIB) /* all lines of one answer */
#define LARGE_BUFFER (256 * KIB) /* for large bodies: fewer calls into the kernel */

struct curls;
struct plains;

/* A handle of curl's or a connection of ours: each embeds this first. */
struct carrier {
    struct exchange *x;          /* NULL: idle */
    struct carrier *next, *prev; /* of the running */
    int64_t since_ms;            /* the last sign of life, or the begin of the step */
    bool plain;                  /* ours */
    bool paused;                 /* at our own wish: no time runs out */
    int unwatched;               /* why its connection can't be watched (errno); 0: it is */
};

struct transport {
    int epoll, timer, event;
    char *user_agent, *ca_file;
    struct trace trace;
    uint32_t limits_ms[EXCHANGE_STEPS_]; /* of each step; 0: none */
    bool insecure;
    struct carrier *running;
    struct watch *watches;
    struct route route;
    int64_t armed_ms;                        /* what the timer is set to; INT64_MAX: nothing */
    int64_t curls_ms, plains_ms, callers_ms; /* who wants to be called */
    int64_t steps_ms;                        /* the first of the steps to take too long, at the earliest */
    struct curls *curls;                     /* NULL: not needed so far */
    struct plains *plains;
};

/* Sets the timer to what comes first. */
void transport_arm(struct transport *t);

void carrier_enter(struct carrier *c, enum exchange_step step);
void carrier_start(struct transport *t, struct carrier *c, struct exchange *x); /* it runs */
void carrier_stop(struct transport *t, struct carrier *c);                      /* and is idle */
/* Frees the carrier for others, then tells how the exchange has ended: @c may be another's when this returns.
 */
void carrier_end(struct transport *t, struct carrier *c, int code, const berth_error *err);
/* A line of the trace, where somebody wants it. */
void carrier_trace(const struct carrier *c, berth_trace what, berth_str block);
/* The header has come as a whole. False: the exchange is to be ended, its call knows why. */
bool carrier_head(struct carrier *c, int status);

/* --- client_curl.c --- */

int curls_new(struct transport *t, berth_error *err);
void curls_free(struct curls *s); /* NULL is fine */
void curls_close(struct transport *t);
int curls_start(struct transport *t, struct exchange *x, berth_error *err);
void curls_release(struct transport *t, struct carrier *c);
void curls_resume(struct carrier *c);
void curls_ready(struct transport *t, int fd, uint32_t events); /* a socket that is not ours */
bool curls_run(struct transport *t);                            /* what is due; true: something has ended */
bool curls_woken(const struct transport *t);

/* --- plain.c --- */

int plains_new(struct transport *t, berth_error *err);
void plains_free(struct plains *s); /* NULL is fine */
void plains_close(struct transport *t);
/* Whether we can carry it ourselves: plain HTTP to an address, and nothing out of the ordinary. */
bool plains_can(const struct transport *t, const struct exchange *x);
int plains_start(struct transport *t, struct exchange *x, berth_error *err);
void plains_release(struct transport *t, struct carrier *c);
bool plains_ready(struct transport *t, int fd, uint32_t events); /* false: the socket is not ours */
void plains_resume(struct transport *t, struct carrier *c);
bool plains_pending(const struct transport *t); /* there is something to do at once */
bool plains_run(struct transport *t);           /* what was started, and what is due */

#endif
