/* client/client_curl.h - what the files that see libcurl share: its functions, the transport, its handles. */
#ifndef CLIENT_CLIENT_CURL_H
#define CLIENT_CLIENT_CURL_H

#include <curl/curl.h>

#include "client/internal.h"
#include "client/route.h"

/* libcurl's functions, by their names without "curl_"; usable once curl_load() has returned BERTH_OK. */
/* clang-format off */
#define CURL_FUNCTIONS(X)                                                                        \
    X(easy, cleanup) X(easy, getinfo) X(easy, init) X(easy, pause) X(easy, setopt) X(easy, strerror)            \
    X(global, init)                                                                              \
    X(multi, add_handle) X(multi, assign) X(multi, cleanup) X(multi, info_read) X(multi, init)   \
    X(multi, remove_handle) X(multi, setopt) X(multi, socket_action)                             \
    X(slist, append) X(slist, free_all)
/* clang-format on */
struct curl_functions {
#define POINTER(prefix, name) __typeof__(curl_##prefix##_##name) *prefix##_##name;
    CURL_FUNCTIONS(POINTER)
#undef POINTER
};
extern struct curl_functions curl;

/* Any thread, any number of times. BERTH_E_UNSUPPORTED: there is no libcurl. */
int curl_load(berth_error *err);

/* What one exchange needs of curl. */
struct handle {
    CURL *easy;
    struct curl_slist *fields;
    char why[CURL_ERROR_SIZE];
    struct exchange *x;         /* NULL: idle */
    struct handle *next, *prev; /* of the running, or of the idle (next alone) */
    int64_t since_ms;           /* the last sign of life, or the begin of the step */
    bool paused;                /* at our own wish: no time runs out */
    int unwatched;              /* why its connection can't be watched (errno); 0: it is */
};

struct transport {
    CURLM *multi;
    int epoll, timer, event;
    char *user_agent, *ca_file;
    struct trace trace;
    uint32_t limits_ms[EXCHANGE_STEPS_]; /* of each step; 0: none */
    bool insecure;
    struct handle *running, *idle;
    struct watch *watches;
    struct route route;
    struct curl_slist *resolve;
    size_t n_idle;
    int64_t armed_ms;             /* what the timer is set to; INT64_MAX: nothing */
    int64_t curls_ms, callers_ms; /* who wants to be called */
    int64_t steps_ms;             /* the first of the steps to take too long, at the earliest */
    bool woken;                   /* curl has something to do at once */
};

/* --- client_curl_handle.c --- */

/* What all requests of this client have in common. */
bool curl_handle_set_up(const struct transport *t, struct handle *h);
/* The request of @x. False: no memory, or what it needs can't be read. */
bool curl_handle_request(const struct transport *t, struct exchange *x, struct handle *h);

/* The exchange is at another step; and when it has been there for too long. */
void curl_handle_enter(struct handle *h, enum exchange_step step);
void curl_handle_watch(struct transport *t, const struct handle *h);

/* What curl's verdict means: a code and a sentence, and the kind of failure in the exchange. */
int curl_handle_explain(const struct handle *h, CURLcode result, berth_error *err);

/* --- client_curl_route.c --- */

/* What holds for every request of the client. @resolve is lent as long as the handle lives. */
bool curl_route_set_up(CURL *easy, const struct route *r, struct curl_slist *resolve);
struct curl_slist *curl_route_resolve(const struct route *r, bool *ret_ok);

/* What depends on where this request goes. False: no memory, or certificates that can't be read. */
bool curl_route_aim(CURL *easy, const struct route *r, const char *ca_file, const struct exchange *x);

#endif
