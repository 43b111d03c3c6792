/* client/plain_private.h - what the files of plain HTTP share: a connection of ours with the exchange that it
 * carries. From the ground up: plain_connection.c makes, keeps and ends connections, plain_send.c and
 * plain_receive.c move an exchange along on one, plain.c is what the transport sees. */
#ifndef CLIENT_PLAIN_PRIVATE_H
#define CLIENT_PLAIN_PRIVATE_H

#include <sys/socket.h>

#include "client/transport.h"
#include "http/chunk.h"
#include "http/reply.h"

#define PLAIN_TURN (4 * MIB) /* sent, or received, before others have their turn */

enum plain_state { PLAIN_IDLE, PLAIN_FRESH, PLAIN_CONNECTS, PLAIN_SENDS, PLAIN_MAY_SEND, PLAIN_RECEIVES };
enum plain_framing { FRAMED_BY_LENGTH, FRAMED_BY_CHUNKS, FRAMED_BY_END };

struct plain {
    struct carrier base;
    struct plain *next, *prev; /* of those that are idle, or have something to do */
    enum plain_state state;

    /* plain_connection.c */
    int fd; /* -1: none yet */
    char *authority;
    struct sockaddr_storage addresses[2];
    unsigned n_addresses, tried;
    bool reused;      /* it may have been closed meanwhile */
    bool wants_out;   /* we wait for room */
    bool queued;      /* among those that have something to do */
    bool whole, keep; /* the exchange went well; another may follow */

    /* plain_send.c */
    berth_buf head; /* of the request */
    size_t head_sent;
    berth_buf piece; /* of a body that streams */
    size_t piece_sent;
    bool body_over;   /* the body has no more behind the piece */
    int64_t go_on_ms; /* with the body, whether it is asked for or not; 0: nothing is waited for */

    /* plain_receive.c */
    bool answered;     /* something of the answer has come */
    bool unheard;      /* nobody looks at what it sends */
    berth_buf held;    /* what came, and was not wanted yet */
    size_t scanned;    /* of the answer's header */
    unsigned interims; /* answers that only announce another */
    struct http_reply reply;
    enum plain_framing framing;
    uint64_t left; /* of a body with a length */
    struct http_chunk_check chunk;
};

struct plain_list {
    struct plain *first, *last;
};

struct plains {
    struct plain **by_fd;
    size_t n_fds;
    struct plain_list idle, ready; /* the latest first; the first to be ready first */
    size_t n_idle;
    char *buffer; /* for what is received, and passed on at once */
    bool off;     /* everything is libcurl's */
    bool ended;   /* an exchange has */
};

/* --- plain_connection.c --- */

/* Those of an address, or of this machine; false: it is a name, or of a family that is not wanted. */
bool plain_find_addresses(struct plain *c, const struct route *r, const http_uri *u);
/* One that is kept, and that the other end has not closed since; or a new one, without a socket. NULL: no
 * memory. */
struct plain *plain_take(struct transport *t, const http_uri *u);
void plain_let_go(struct transport *t, struct plain *c); /* without an exchange: kept, or closed and freed */
void plain_drop(struct plains *s, struct plain *c);      /* one that is idle */
void plain_drop_all(struct plains *s);                   /* of them */
void plain_free(struct plains *s, struct plain *c);
/* Tries one address after the other. True: it is there, and the request can go out; false: it is on its way
 * (plain_connected()), or the exchange is over. @why: what came of the last address, an errno; 0: there was
 * none. */
bool plain_connect(struct transport *t, struct plain *c, int why);
bool plain_connected(struct transport *t, struct plain *c);    /* the socket is writable: likewise */
void plain_connect_anew(struct transport *t, struct plain *c); /* for the same request, in its turn */
/* Has epoll look at it: EPOLL_CTL_ADD or EPOLL_CTL_MOD. False: it can't; transport_process() ends that. */
bool plain_watch(struct transport *t, struct plain *c, int op);
void plain_want_out(struct transport *t, struct plain *c, bool wants);
void plain_enqueue(struct plains *s, struct plain *c); /* it has something to do; once is enough */
struct plain *plain_dequeue(struct plains *s);         /* NULL: none has */
/* The exchange is over, and so may be the connection. */
void plain_end(struct transport *t, struct plain *c, enum exchange_failure failure, int code, const char *fmt,
               ...) __attribute__((format(printf, 5, 6)));
/* A callback's wish, which its call knows more about; or else there is no memory. */
void plain_give_up(struct transport *t, struct plain *c);

/* --- plain_send.c --- */

/* False: no memory. */
bool plain_write_head(const struct transport *t, struct plain *c, const struct exchange *x);
void plain_begin(struct transport *t, struct plain *c); /* the request, from its beginning */
/* As much as there is room for. False: the exchange is over. */
bool plain_send(struct transport *t, struct plain *c);
void plain_stop_sending(struct transport *t, struct plain *c);
bool plain_all_sent(const struct plain *c);

/* --- plain_receive.c --- */

void plain_receive(struct transport *t, struct plain *c);
void plain_hear_again(struct transport *t, struct plain *c); /* what was held, and what follows */

#endif
