/* berth/request.h - requests by template, for all of a registry's API that has no function of its own.
 *
 * A path is written as the specification writes it; what stands in angle brackets is filled in:
 *
 *     <name>         the repository      berth_request_set_name(), or else the client's default name
 *     <reference>    a tag or a digest   berth_request_set_reference()
 *     <digest>       a digest            berth_request_set_digest()
 *     <session_id>   an upload           berth_request_set_session_id()
 *
 *     berth_request *request;
 *     berth_call *call;
 *     if (berth_request_new(registry, BERTH_GET, "/v2/<name>/tags/list", &request, &err) == BERTH_OK) {
 *         berth_request_set_name(request, "team/app");
 *         berth_request_set_query(request, "n", "10");
 *         if (berth_request_send(request, &call, &err) == BERTH_OK)
 *             printf("%d\n", berth_response_status(berth_call_response(call)));
 *     }
 *
 * Challenges are answered as for all other calls, and the request is then sent again as it was. Every answer
 * that is complete is a success, a 404 as well: its status is the program's to look at. Nothing is added that
 * was not asked for, no Accept above all, and no digest is checked.
 *
 * Setters copy what they are given. They return nothing: the first mistake is kept, and reported when the
 * request is sent. A request may be sent many times, and by several threads; it may be changed while none of
 * its calls is under way, and in its retry callback. */
#ifndef BERTH_REQUEST_H
#define BERTH_REQUEST_H

#include <berth/upload.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_GET     "GET"
#define BERTH_HEAD    "HEAD"
#define BERTH_PUT     "PUT"
#define BERTH_PATCH   "PATCH"
#define BERTH_POST    "POST"
#define BERTH_DELETE  "DELETE"
#define BERTH_OPTIONS "OPTIONS"

typedef struct berth_request berth_request;   /* one request in the making */
typedef struct berth_response berth_response; /* what was answered; lives as long as its call */

/* --- making one --- */

/**
 * Begin a request. @method is a word of capital letters, one of the above or another. @path is a template as
 * above, with or without a query; or a whole URL, such as a Location: on another host than the client's it
 * gets no credentials. On success *@ret_request belongs to the caller: berth_request_free(). The client has
 * to outlive it. Returns BERTH_OK, BERTH_E_INVALID or BERTH_E_NOMEM; *@ret_request is then untouched.
 */
BERTH_API int berth_request_new(berth_client *client, const char *method, const char *path,
                                berth_request **ret_request, berth_error *err);

/** NULL is fine. Calls that are under way go on. */
BERTH_API void berth_request_free(berth_request *request);

/** What fills the path. NULL: nothing; for the name, the client's default name again. */
BERTH_API void berth_request_set_name(berth_request *request, const char *name);
BERTH_API void berth_request_set_reference(berth_request *request, const char *reference);
BERTH_API void berth_request_set_digest(berth_request *request, const char *digest);
BERTH_API void berth_request_set_session_id(berth_request *request, const char *session_id);

/** A header in place of any of this name, whatever its case; NULL: without it. Content-Length follows from
 * the body: another value is a mistake, and so are fields that say how messages are framed. An Authorization
 * is sent as it is, and then no challenge is answered. */
BERTH_API void berth_request_set_header(berth_request *request, const char *name, const char *value);

/** One more header, beside any of the same name. */
BERTH_API void berth_request_add_header(berth_request *request, const char *name, const char *value);

/** A parameter behind the query that the path has of its own, which stays as it is; in place of any that was
 * set by this name. Both are encoded. NULL: without it. */
BERTH_API void berth_request_set_query(berth_request *request, const char *name, const char *value);
BERTH_API void berth_request_add_query(berth_request *request, const char *name, const char *value);

/** The body, of @n bytes; NULL and 0: an empty one. */
BERTH_API void berth_request_set_body(berth_request *request, const void *p, size_t n);

/** The body from a file, or from a function: berth/upload.h says how. The source is copied, what it reads
 * from is lent until every call of the request has ended. One that can be read once can't be sent twice: a
 * retry callback may set a fresh one. */
BERTH_API void berth_request_set_source(berth_request *request, const berth_source *source);

/** Gives the body of an answer of 2xx to @fn as it comes, instead of keeping it in memory. */
BERTH_API void berth_request_set_sink(berth_request *request, berth_sink_fn fn, void *arg);

/** How large an answer may be that is kept in memory, in bytes; 8 MiB unless set. A larger one ends the call
 * with BERTH_E_TOO_BIG. */
BERTH_API void berth_request_set_limit(berth_request *request, size_t bytes);

/** Whether redirections are followed, as they are unless set: 307 and 308, and for GET and HEAD also 301, 302
 * and 303. One that isn't followed is an answer like any other. */
BERTH_API void berth_request_set_redirects(berth_request *request, bool follow);

/* Called before a request is sent once more, after a challenge for instance. It may change the request, renew
 * its body above all. Another answer than BERTH_OK ends the call with that code, and what @err says. */
typedef int (*berth_request_retry_fn)(berth_request *request, void *arg, berth_error *err);
BERTH_API void berth_request_set_retry(berth_request *request, berth_request_retry_fn fn, void *arg);

/** Its method; lent. */
BERTH_API const char *berth_request_method(const berth_request *request);

/** The URL as it stands: *@ret_url is the caller's to berth_free(). BERTH_E_INVALID: something in the path is
 * not filled in, or it has an empty part ("//"), or a mistake was made before. */
BERTH_API int berth_request_url(const berth_request *request, char **ret_url, berth_error *err);

/* --- sending it --- */

/** Sends the request and waits for the answer: berth_call_response(). On success *@ret_call belongs to the
 * caller: berth_call_free(). Fails as the operations of berth/client.h do, but not for a status. */
BERTH_API int berth_request_send(berth_request *request, berth_call **ret_call, berth_error *err);
BERTH_API int berth_request_start(berth_request *request, berth_call **ret_call, berth_error *err);

/* --- the answer ---
 *
 * Strings are lent until berth_call_free(). */

/** NULL unless the call has ended well, and was of a request. */
BERTH_API const berth_response *berth_call_response(const berth_call *call);

/** Its status: 200, 404. */
BERTH_API int berth_response_status(const berth_response *response);

/** The first header of this name, whatever its case; NULL: there is none. */
BERTH_API const char *berth_response_header(const berth_response *response, const char *name);

/** The value of the @i-th header as they came, and its name; NULL: there are no more. */
BERTH_API const char *berth_response_header_at(const berth_response *response, size_t i,
                                               const char **ret_name);

/** The body, with a NUL behind it, and its size; empty if it went to a sink. */
BERTH_API const void *berth_response_body(const berth_response *response, size_t *ret_size);

/** Location as path and query ("/v2/…?state=…"), fit for the next request to the same client; NULL: there is
 * none, or it is no URL. */
BERTH_API const char *berth_response_location(const berth_response *response);

/** Location as it was sent if it names a host, else the URL that it means. */
BERTH_API const char *berth_response_absolute_location(const berth_response *response);

/* One of a registry's errors (distribution-spec, "Error Codes"); what was not said is "". Unprintable bytes
 * of code and message are replaced. */
typedef struct berth_response_error {
    const char *code;    /* "MANIFEST_UNKNOWN" */
    const char *message; /* for people */
    const char *detail;  /* JSON */
} berth_response_error;

/** The errors that the body lists, *@ret_n of them. BERTH_E_INVALID: it is no list of errors, and @err says
 * what it is instead. */
BERTH_API int berth_response_errors(const berth_response *response, const berth_response_error **ret_errors,
                                    size_t *ret_n, berth_error *err);

#ifdef __cplusplus
}
#endif
#endif
