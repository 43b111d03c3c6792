/* client/request.h - a request by template as its files share it: request.c makes and sends it, response.c
 * reads the answer. */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include "berth/request.h"
#include "client/internal.h"

struct pair {
    char *name, *value;
};

struct pairs {
    struct pair *of;
    size_t n, cap;
};

struct berth_request {
    _Atomic unsigned references; /* whoever made it, and each of its calls */
    berth_client *client;
    char *method, *path;
    char *name, *reference, *digest, *session_id;
    struct pairs headers, query;
    char *body;
    size_t body_n;
    berth_source source; /* in its place, if .size isn't 0 */
    unsigned bodies;     /* how many were set: whether a call has the present one */
    berth_sink_fn sink;
    void *sink_arg;
    size_t limit;
    berth_request_retry_fn retry;
    void *retry_arg;
    bool keeps_redirects;
    berth_error err; /* the first mistake */
};

/* What one call has of it. */
struct berth_response {
    int status;
    struct pair *headers; /* ends with one without a name */
    const char *body;
    size_t body_n;
    const char *location, *absolute;
    const berth_response_error *errors;
    size_t n_errors;
    berth_error why; /* the body is no list of errors */
};

/* The answer that @call has, complete; in the call's arena. NULL: no memory. */
berth_response *response_read(berth_call *call);

#endif
