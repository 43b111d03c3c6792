/* registry/private.h - what the handlers share: one call, the answers they have in common. */
#ifndef REGISTRY_PRIVATE_H
#define REGISTRY_PRIVATE_H

#include <stdatomic.h>

#include "http/accept.h"
#include "http/range.h"
#include "http/url.h"
#include "oci/document.h"
#include "registry/audit.h"
#include "registry/metrics.h"
#include "registry/registry.h"
#include "util/publish.h"

struct registry {
    repo *repo;
    http_server *server;
    struct http_app app;
    struct metrics metrics;
    berth_publisher policy; /* of struct registry_policy */
    atomic_bool stopping;
    struct audit audit;
};

const struct registry_policy *registry_policy_now(registry *reg);

/* One request on its way: what the route's pattern named, checked before any handler runs. In req->state. */
struct call {
    registry *reg;
    const struct route *route;
    const char *pattern; /* of the path, also where no route of it has the method; NULL: an unknown path */
    berth_str name;      /* {name} */
    oci_reference reference; /* {reference} */
    berth_digest digest;     /* {digest}, or ?digest= of an upload */
    bool has_digest;
    berth_str session;      /* {session} */
    berth_str thing;        /* what {reference}, {digest} or {session} was, as text: for detail and logs */
    const char *thing_kind; /* "tag", "digest", "session", … or NULL */
    bool promising;         /* a read that was handed to a worker to write a lease first */
    bool keep_partial;      /* a PATCH that breaks off keeps what came */
    repo_upload *upload;    /* held by uploads.c between begin and end */
    bool chunk_checked;     /* Content-Range was given and fits */
    uint64_t chunk_length;  /* and promises this many bytes */
    char oci_code[32];      /* of the refusal, for the log; "": none */
    char message[256];
};

static inline struct call *call_of(const http_request *req)
{
    return req->state;
}

/* --- errors.c --- */
/* Answers with @err: status and JSON by its codes; the one place where they are mapped. @detail_json may be
 * empty: then the call's own name and thing. */
void registry_refuse(http_request *req, const berth_error *err, berth_str detail_json);
/* The same for a refusal found in a handler itself. */
void registry_refuse_with(http_request *req, int status, const char *oci_code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The server's own refusals (http_app.refuse). */
void registry_refuse_http(http_request *req, int status, const struct http_refusal *why);

/* --- answers.c --- */
/* "http://host/prefix/v2/<name>/<kind>/<last>", or without scheme and host by policy. */
void answer_location(http_request *req, const char *kind, berth_str last);
void answer_json(http_request *req, int status, const char *content_type,
                 berth_buf *body); /* takes over its bytes */
/* Link: <this path?query>; rel="next" (RFC 5988). @query is encoded already. */
void answer_next_link(http_request *req, berth_str query);
void answer_warnings(http_request *req, berth_str tag);
/* ETag of content with this digest, and whether that answers already: 304 for who holds it, 412 for who wants
 * other. */
bool answer_conditions(http_request *req, const berth_digest *d);
/* ETag and Docker-Content-Digest. */
void answer_etag(http_request *req, const char *digest);

/* If-Match and If-None-Match of a request that changes what stands under a reference (RFC 9110
 * section 13.2.2): both must hold, by what stands there when it is changed. */
struct write_condition {
    const struct oci_condition *given; /* for the rules; NULL: none */
    struct oci_condition ask;
    berth_str needed, unwanted;
    char now[DIGEST_TEXT_MAX]; /* what it was asked about last; "": nothing stood there */
};
/* False, no answer (the server's 500): no memory for a list. *@ret stays where it is until it was asked. */
bool write_condition_init(http_request *req, struct write_condition *ret);

/* ?n= of a listing: false after answering 400. */
bool page_size_of(http_request *req, size_t *ret_n);
/* A query parameter, decoded: false after answering 400 for a bad escape. .p NULL: absent. */
bool query_of(http_request *req, const char *key, berth_str *ret);

/* --- handlers, one file per resource --- */
http_handler ping, extensions_discover;                   /* ping.c */
http_handler manifest_get, manifest_put, manifest_delete; /* manifests.c */
http_handler blob_get, blob_delete;                       /* blobs.c */
http_handler upload_start, upload_status, upload_cancel;  /* uploads.c */
http_handler upload_single_begin, upload_chunk_begin, upload_close_begin;
http_handler upload_single_end, upload_chunk_end, upload_close_end, upload_done;
void upload_piece(http_request *req, const void *p, size_t n);
http_handler tags_list, catalog_list, referrers_list, repository_delete; /* listings.c */
http_handler health_live, health_ready, health_started;                  /* health.c */
http_handler metrics_get;                                                /* metrics.c */
void metrics_init(struct metrics *m);
void metrics_done(struct metrics *m);
void metrics_count(registry *reg, const http_request *req, int64_t us);

/* --- router.c --- */
void registry_route(http_request *req, struct http_plan *plan);
size_t route_count(void);
const char *route_labels(size_t i); /* method="…",route="…", for metrics; also of route_count() */
size_t route_index(const struct route *route); /* route_count(): no route */

void route_set_allow(http_request *req); /* Allow: what the path takes now, but for the method refused */
unsigned route_methods_that_write(const struct route *route); /* of enum http_method; 0: it only reads */

/* --- access_log.c --- */
void registry_finished(http_request *req); /* access log, audit log and metrics, when an answer is out */

#endif
