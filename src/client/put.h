/* client/put.h - a blob on its way to a repository, as its plan (put_plan.c) and its requests (put.c) keep
 * it. */
#ifndef CLIENT_PUT_H
#define CLIENT_PUT_H

#include "client/upload.h"

struct put {
    berth_put_options o;
    struct upload upload;
    struct source source;
    bool kept;     /* it goes through memory */
    bool mounting; /* alone: there is no source */
    berth_buf piece;
    uint64_t piece_at; /* where in the source it begins */
    bool at_end;       /* the source has no more behind the piece */
    bool filling;      /* the piece is not whole yet: the source has paused */
    bool closed;       /* what makes it a blob has been sent: a closing PUT, or a POST with all of it */
    bool sends;        /* some of the content has been sent */
    bool broke;        /* a connection has, at least once */
    bool inherits;     /* the session may get bytes of a connection that is gone */
    bool breaks;       /* a failure that the call's tries count is being met */
    unsigned rounds;   /* without the session having got further */
    uint64_t furthest;
};

extern const struct operation client_put_op;

/* The first request: whether the blob is there; or that which brings it there. */
int client_put_look(berth_call *call, const struct step **ret_next);
int client_put_begin(berth_call *call, const struct step **ret_next);

#endif
